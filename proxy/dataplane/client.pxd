# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class ClientConnection  # first, for the modules below name it in turn

from proxy.dataplane.edge cimport Edge
from proxy.dataplane.exchange cimport Exchange
from proxy.dataplane.heads cimport RequestHead, ResponseHead


cdef class ClientConnection:
    cdef Edge _edge
    cdef readonly object _transport
    cdef readonly bytes _held
    cdef int _phase, _descriptor
    cdef long long _taken
    cdef tuple _told
    cdef bint _chunked, _close_after
    cdef readonly bint _half_closed, _paused_for_upstream, _write_paused
    cdef public Exchange exchange
    cdef public double deadline
    cdef public long slot
    cdef public str counted_as, peer
    cdef public bint secure, trusted

    cdef _request(self, bytes data)
    cdef bytes _skip_empty_line(self, bytes data)
    cdef _begin(self, RequestHead head, bytes rest)
    cdef bytes _forwarding_lines(self, RequestHead head)
    cdef _upload(self, Exchange exchange, bytes data)
    cdef _end_of_requests(self)
    cpdef upstream_ready(self, double now)
    cpdef upstream_full(self, bint full)
    cpdef interim(self, ResponseHead head)
    cpdef answer(self, ResponseHead head, bytes payload, bint done, double now)
    cpdef answer_more(self, bytes payload, bint done, double now)
    cdef _note(self, Exchange exchange, bytes payload)
    cdef bytes _framed(self, bytes payload, bint done)
    cdef _sent(self, Exchange exchange, bint done, double now)
    cdef _complete(self, Exchange exchange, double now)
    cdef _next(self, double now)
    cpdef upstream_failed(self, code)
    cpdef bint divert(self) except -1
    cdef bint _reads_on(self) except -1
    cdef _resume_reading(self)
    cdef _wait(self, int phase, double seconds, double now)
    cdef _fail(self, code)
    cdef _cut_off(self, status, code, message)
    cdef _end(self, Exchange exchange, code)
    cdef _refuse(self, status, code, message)
