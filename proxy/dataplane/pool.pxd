# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class Pool  # first, for the modules below name it in turn

from proxy.dataplane.exchange cimport Exchange
from proxy.dataplane.upstream cimport UpstreamConnection


cdef class Pool:
    cdef public object backend, now
    cdef public bint available
    cdef public list circuits
    cdef public bytes authority
    cdef readonly list _idle
    cdef list _up
    cdef readonly object _waiting
    cdef object _loop, _counters
    cdef readonly set _all, _connecting
    cdef int _turn
    cdef bint _retired
    cdef double _idle_seconds
    cdef readonly double wait, request_body, first_byte, stream_idle, total
    cdef int _max_idle

    cpdef acquire(self, Exchange exchange)
    cdef UpstreamConnection _take_idle(self, Exchange exchange)
    cpdef give_up(self, Exchange exchange)
    cpdef release(self, UpstreamConnection connection, double now)
    cpdef lost(self, UpstreamConnection connection)
