# SPDX-License-Identifier: AGPL-3.0-or-later
from proxy.dataplane.heads cimport ResponseHead


cdef class Room:
    cdef public long long free


cdef class Capture:
    cdef public ResponseHead head
    cdef public list pieces
    cdef public long long size
    cdef public bint complete
    cdef long long _limit
    cdef Room _room

    cpdef add(self, bytes piece)
    cpdef release(self)
