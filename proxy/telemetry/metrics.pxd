# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class Meter:
    cdef readonly str side
    cdef object _cell
    cdef list _statuses, _bins
    cdef double _seconds
    cdef long long _failed, _bytes_in, _bytes_out

    cpdef int add(self, int status, double seconds, bint failed, long long bytes_in, long long bytes_out) except -1


cdef class Recorder:
    cdef dict _meters, _crowds
    cdef public object counters
