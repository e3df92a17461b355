# SPDX-License-Identifier: AGPL-3.0-or-later
# cython: language_level=3
"""`os.write` without what it does around the call, such as letting other threads run: a worker has none that matter."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from posix.unistd cimport write


def send(int descriptor, bytes data not None):
    """See `sending.send`."""
    cdef Py_ssize_t sent = write(descriptor, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    return sent if sent > 0 else 0
