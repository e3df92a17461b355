# SPDX-License-Identifier: AGPL-3.0-or-later
from proxy.routing.subject cimport SubjectReader


cpdef hash_of(bytes salt, bytes subject)
cpdef int bucket_of(bytes salt, bytes subject) except -1
cpdef bint needs_no_cookie(table, SubjectReader reader, dict headers) except -1


cdef class Visitor:
    cdef public str query, kind
    cdef public object number
    cdef object _table, _peer, _session
    cdef dict _headers
    cdef SubjectReader _reader
    cdef bytes _minted, _own, _person

    cpdef session(self)
    cpdef pinned_to(self, group)
    cpdef int bucket(self, sticky, bytes header) except -1
    cpdef bytes cookie_to_set(self)
    cdef bint _has_unread_session(self) except -1
    cdef bytes _find_person(self)
    cdef bytes _find_remembered(self)
    cdef bytes _find_own(self)
    cdef bytes _mint(self)
