# SPDX-License-Identifier: AGPL-3.0-or-later
from proxy.routing.lane cimport Lane, Verdict
from proxy.routing.visitor cimport Visitor


cpdef Verdict choose(Lane lane, bytes method, bytes path, dict headers, Visitor visitor)
cdef _keeps(Lane lane, bytes method, bytes path, dict headers, Visitor visitor)
