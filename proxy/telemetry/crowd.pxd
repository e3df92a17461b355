# SPDX-License-Identifier: AGPL-3.0-or-later
cimport cython


cdef class Census:
    cdef object _crowd
    cdef bytearray _registers
    cdef list _requests, _errors, _levels
    cdef long long _squares

    @cython.locals(place=int, rank=int, stratum=int)
    cpdef add(self, unsigned long long user, long level, bint bad)
