# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class Sampler:
    cdef dict _shares

    cpdef bint takes(self, str route, double percent) except -1
