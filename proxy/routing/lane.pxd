# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class Verdict:
    cdef readonly int backend
    cdef readonly object reason
    cdef readonly str side


cdef class Lane:
    cdef readonly object table, route
    cdef readonly long long body_limit
    cdef readonly bint may_repeat, cookie_for_all, cookie_for_visitors
    cdef readonly bytes salt, sticky_header
    cdef readonly int from_backend, threshold
    cdef readonly object sticky, pins
    cdef readonly tuple guarded_queries, guarded_sessions
    cdef readonly frozenset guarded_headers
    cdef readonly Verdict settled, stays, moves
    cdef dict _verdicts

    cpdef Verdict verdict(self, int backend, reason)
    cpdef Verdict fallen(self)
