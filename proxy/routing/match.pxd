# SPDX-License-Identifier: AGPL-3.0-or-later
cimport cython


cdef class Matcher:
    cdef object _tree
    cdef bint _heads
    cdef readonly dict _memo
    cdef dict _compiled
    cdef int _remembered

    @cython.locals(paths=dict)
    cpdef int find(self, bytes method, bytes path) except -2
    cdef _remember(self, bytes method, bytes path, int found)
    @cython.locals(segments=list)
    cdef int _first(self, bytes method, bytes path) except -2
    cdef int _search(self, node, list segments, int at, bytes method, bytes other, int best) except -2


cdef int _lookup(table, bytes method, bytes other) except -2
