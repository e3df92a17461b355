# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class Circuit:
    cdef public object state
    cdef public bint alert
    cdef object _limits
    cdef double _patience, _until
    cdef int _failures, _answers
