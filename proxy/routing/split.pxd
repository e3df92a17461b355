# SPDX-License-Identifier: AGPL-3.0-or-later
from proxy.routing.visitor cimport Visitor


cpdef choose(table, route, bytes method, bytes path, dict headers, Visitor visitor, available)
cdef _stays(table, route, group, bytes method, bytes path, dict headers, Visitor visitor)
cdef _answer(table, backend, reason, group, Visitor visitor, bucket=*)
