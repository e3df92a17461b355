# SPDX-License-Identifier: AGPL-3.0-or-later
cimport cython


cdef class LengthReader:
    cdef public long long remaining

    @cython.locals(size=Py_ssize_t, cut=Py_ssize_t)
    cpdef tuple feed(self, bytes data)


cdef class CloseReader:
    cpdef tuple feed(self, bytes data)


cdef class ChunkedReader:
    cdef bytes _held
    cdef long long _left
    cdef Py_ssize_t _trailer_bytes

    @cython.locals(size=Py_ssize_t, at=Py_ssize_t, end=Py_ssize_t, piece=bytes, line=bytes)
    cpdef tuple feed(self, bytes data)


cpdef bytes chunk(bytes payload)
