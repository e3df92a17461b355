# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class Recorder:
    cdef dict _cells, _crowds
    cdef public object counters
