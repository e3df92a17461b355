# SPDX-License-Identifier: AGPL-3.0-or-later
cimport cython


cdef class AccessLog:
    cdef str _target, _stamp
    cdef bint _json, _is_file
    cdef object _clock, _poll
    cdef list _lines
    cdef long long _second
    cdef int _descriptor
    cdef public long long lost
    cdef public bint on

    @cython.locals(now=double, second="long long", milliseconds=int, hundredths="long long", first="long long")
    cpdef line(
        self, str place, str request_id, str method, int status, str failure, double seconds, double first_byte,
        long long bytes_in, long long bytes_out
    )
