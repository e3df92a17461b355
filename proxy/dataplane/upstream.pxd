# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class UpstreamConnection  # first, for the modules below name it in turn

from proxy.dataplane.breaker cimport Circuit
from proxy.dataplane.exchange cimport Exchange
from proxy.dataplane.heads cimport ResponseHead
from proxy.dataplane.pool cimport Pool


cdef class UpstreamConnection:
    cdef public Pool pool
    cdef public int address
    cdef public Circuit circuit
    cdef public object transport
    cdef public Exchange exchange
    cdef public bint fresh
    cdef public double idle_since
    cdef readonly bytes _held
    cdef bint _holding
    cdef int _interim, _descriptor
    cdef ResponseHead _head
    cdef object _body

    cpdef begin(self, Exchange exchange, double now)
    cdef _answer(self, Exchange exchange, bytes data, double now)
    cdef _deliver(self, Exchange exchange, bytes payload, bytes rest, double now)
    cdef _switch(self, Exchange exchange, ResponseHead head, bytes rest)
    cdef _detach(self, Exchange exchange)
    cdef _leave(self, Exchange exchange, bint clean, double now)
    cpdef hold(self)
    cpdef go_on(self)
    cdef _fail(self, code)
