# SPDX-License-Identifier: AGPL-3.0-or-later
cdef class RequestHead:
    cdef public bytes block, connection, encoding, host, method, path, query, target
    cdef public dict fields, forwarding
    cdef public bint keep_alive, upgrade
    cdef public long long length
    cdef public int minor
    cdef public Py_ssize_t size


cdef class ResponseHead:
    cdef public bytes block, connection, encoding, status_line, upgrade
    cdef public dict fields
    cdef public bint keep_alive
    cdef public long long length
    cdef public int minor, status
    cdef public Py_ssize_t size
