# SPDX-License-Identifier: AGPL-3.0-or-later
cpdef bint carries(str query, names) except -1
cpdef value_of(str query, names)
cdef bint _may_hold(str query, names) except -1
