# SPDX-License-Identifier: AGPL-3.0-or-later
from proxy.dataplane.capture cimport Capture, Room
from proxy.dataplane.exchange cimport Exchange
from proxy.dataplane.heads cimport RequestHead, ResponseHead
from proxy.experiment.budget cimport Rate
from proxy.experiment.queue cimport Outlet
from proxy.experiment.safety cimport Sampler
from proxy.routing.lane cimport Lane, Verdict

cimport cython


cdef class _Chances:
    cdef dict others
    cdef double percent
    cdef str route
    cdef bint writes


cdef class Lifting:
    cdef object _loop, _counters, _table, _dropped, _report
    cdef Outlet _outlet
    cdef Sampler _sampler
    cdef Room _room
    cdef long long _writes, _body_limit
    cdef double _lost_at
    cdef bint _active
    cdef dict _chances
    cdef list _rates

    @cython.locals(head=RequestHead, verdict=Verdict, chances=_Chances, rate=Rate)
    cpdef began(self, Exchange exchange)
    cdef _Chances _chances_of(self, Lane lane)
    @cython.locals(head=ResponseHead, verdict=Verdict, body=list, size="long long")
    cpdef ended(self, Exchange exchange, Capture capture)
    cdef bint _still_shadowed(self, Exchange exchange) except -1
