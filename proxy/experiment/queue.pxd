# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class Outlet:
    cdef object _loop, _lost, _transport, _connecting
    cdef str _path
    cdef list _waiting
    cdef long long _waiting_bytes, _messages
    cdef bint _flushing, _closed
    cdef public long long limit

    cpdef bint send(self, bytes head, body, long long size) except -1
    cpdef bint tell(self, bytes head) except -1
    cdef bint _take(self, bytes head, body, long long size, long long limit) except -1
