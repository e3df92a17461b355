# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class Exchange  # first, for the modules below name it in turn

from proxy.dataplane.capture cimport Capture
from proxy.dataplane.client cimport ClientConnection
from proxy.dataplane.edge cimport Generation
from proxy.dataplane.heads cimport RequestHead
from proxy.dataplane.pool cimport Pool
from proxy.dataplane.upstream cimport UpstreamConnection
from proxy.routing.lane cimport Lane, Verdict


cdef class Exchange:
    cdef public ClientConnection client
    cdef public RequestHead head
    cdef public Generation generation
    cdef public Pool pool
    cdef public UpstreamConnection upstream
    cdef public Capture capture
    cdef public object request_body
    cdef public Lane lane
    cdef public Verdict verdict
    cdef public unsigned long long subject
    cdef public bytes request_id, set_cookie
    cdef public str failure
    cdef public list unsent
    cdef public bint retried
    cdef public int status
    cdef public long long bytes_in, bytes_out
    cdef public double ends_at, first_byte_at, started_at

    cpdef bint may_be_repeated(self)
    cpdef go(self, Verdict verdict)
