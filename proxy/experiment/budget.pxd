# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class Rate:
    cdef double _at, _free, _most
    cdef readonly double rate

    cpdef bint takes(self, double now) except -1
