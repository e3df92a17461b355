# SPDX-License-Identifier: AGPL-3.0-or-later
cimport cython

cdef class Generation  # first, for the modules below name them in turn
cdef class Edge

from proxy.dataplane.client cimport ClientConnection
from proxy.dataplane.exchange cimport Exchange
from proxy.dataplane.heads cimport RequestHead, ResponseHead
from proxy.routing.lane cimport Lane, Verdict
from proxy.routing.match cimport Matcher
from proxy.routing.subject cimport SubjectReader
from proxy.routing.visitor cimport Visitor
from proxy.telemetry.crowd cimport Census
from proxy.telemetry.log cimport AccessLog
from proxy.telemetry.metrics cimport Meter, Recorder


cdef class Account:
    cdef public Meter meter
    cdef public Census census
    cdef public str decisions, place


cdef class Generation:
    cdef public object table, scanner
    cdef public list pools
    cdef Matcher _matcher
    cdef dict _accounts, _lanes

    cpdef Lane lane(self, bytes method, bytes path)
    cpdef Account account(self, Exchange exchange, recorder, log)


cdef class Edge:
    cdef public double idle_seconds
    cdef public Recorder recorder
    cdef public object loop, now, observer, wheel, stalls, limits, tunnels
    cdef public bytes mark
    cdef public set connections
    cdef public bint draining
    cdef public Generation generation
    cdef SubjectReader _reader
    cdef AccessLog _access_log
    cdef readonly object _peers
    cdef object _tls, _gone, _tick
    cdef str _id_prefix
    cdef unsigned long long _ids
    cdef list _retired, _servers
    cdef bint _warned_of_forwarding
    cdef double _tick_due

    @cython.locals(generation=Generation, lane=Lane, verdict=Verdict, visitor=Visitor, exchange=Exchange)
    cpdef Exchange decide(self, RequestHead head, ClientConnection client, address)
    cpdef bytes new_request_id(self)
    cpdef bint fall_back(self, Exchange exchange) except -1
    cpdef bytes own_cookie(self, Exchange exchange, ResponseHead answer)
    @cython.locals(account=Account, meter=Meter, census=Census)
    cpdef account(self, Exchange exchange, double now)
