# SPDX-License-Identifier: AGPL-3.0-or-later
from proxy.routing.lane cimport Lane
from proxy.routing.subject cimport Session, SubjectReader


cpdef bint needs_no_cookie(Lane lane, SubjectReader reader, dict headers) except -1


cdef class Visitor:
    cdef public str query, kind
    cdef public int drawn
    cdef public unsigned long long number
    cdef object _peer
    cdef Lane _lane
    cdef Session _session
    cdef dict _headers
    cdef SubjectReader _reader
    cdef bytes _cookies, _minted, _own, _person

    cpdef Session session(self)
    cpdef pinned_to(self, pins)
    cpdef int bucket(self, sticky, bytes header) except -1
    cpdef bytes cookie_to_set(self)
    cdef bint _has_unread_session(self) except -1
    cdef bytes _find_person(self)
    cdef bytes _find_remembered(self)
    cdef bytes _find_own(self)
    cdef bytes _mint(self)
