# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class SessionKeys:
    cdef dict _verdicts
    cdef public object names

    cpdef bint fit(self, tuple globs) except -1


cdef class Session:
    cdef readonly bytes user
    cdef readonly SessionKeys keys


cdef class SubjectReader:
    cdef public long long undecryptable, minted
    cdef object _now, _randomness, _encrypted, _signed
    cdef str _session_name
    cdef bytes _session_wanted
    cdef readonly dict _sessions, _older
    cdef dict _key_sets
    cdef Py_ssize_t _most

    cpdef bint has_session(self, bytes cookies) except -1
    cpdef Session session(self, bytes cookies)
    cdef Session _decrypt(self, jar, bytes value)
    cdef SessionKeys _keys(self, tuple raw)
    cpdef bytes remembered(self, bytes cookies)
    cpdef bytes own(self, bytes cookies)
    cpdef bytes mint(self)
    cpdef bytes draw(self)
