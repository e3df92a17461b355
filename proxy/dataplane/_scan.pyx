# SPDX-License-Identifier: AGPL-3.0-or-later
# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The compiled scanner: the same contract as `scan.Scanner`, one pass over the bytes.

It takes only what is plainly right and ordinary. Whatever else comes (a fault, a rare form, a header that changes
the others) goes to the scanner in Python, whose word counts: so the two cannot disagree about what is refused, and
the rules stand in one place.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memcpy

from proxy.dataplane.heads cimport RequestHead, ResponseHead

from proxy.dataplane.scan import Scanner as PythonScanner

cdef extern from *:
    """
    #include <string.h>
    /* The blank line that ends a head: memchr for each CR, so that no memmem of a libc's own speed is needed. */
    static const unsigned char *blank_line(const unsigned char *start, size_t size) {
        const unsigned char *at = start, *end = start + size;
        while (size >= 4 && (at = memchr(at, '\\r', (size_t)(end - at))) != NULL) {
            if (end - at < 4) return NULL;
            if (at[1] == '\\n' && at[2] == '\\r' && at[3] == '\\n') return at;
            at++;
        }
        return NULL;
    }
    /* Whether all may stand in a head: no control characters but tabs and line ends, and no CR without its LF.
       Reads one byte beyond. Written so that compilers look at sixteen bytes at a time. */
    static int is_plain(const unsigned char *start, size_t size) {
        unsigned char bad = 0;
        for (size_t at = 0; at < size; at++) {
            unsigned char c = start[at];
            bad |= ((c < 32) & (c != 9) & (c != 10) & (c != 13)) | (c == 127) | ((c == 13) & (start[at + 1] != 10));
        }
        return !bad;
    }
    """
    const unsigned char *blank_line(const unsigned char *start, size_t size) nogil
    bint is_plain(const unsigned char *start, size_t size) nogil

# What a byte may be part of.
cdef enum:
    IN_TOKEN = 1
    IN_TARGET = 2
    IN_VALUE = 4
    IN_HOST = 8

cdef unsigned char[256] KIND
cdef unsigned char[256] TOKEN  # the lower-case letter; 0 for what is in no token
cdef unsigned char[256] LOWER


cdef void _fill_tables():
    cdef int c
    for c in range(256):
        KIND[c] = 0
        LOWER[c] = c + 32 if 65 <= c <= 90 else c
        if c > 32 and c != 127:
            KIND[c] |= IN_VALUE
            if c != 35:
                KIND[c] |= IN_TARGET
        if c == 32 or c == 9:
            KIND[c] |= IN_VALUE
        if 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122:
            KIND[c] |= IN_TOKEN | IN_HOST
    for c in b"!#$%&'*+-.^_`|~":
        KIND[c] |= IN_TOKEN
    for c in b"-.:":
        KIND[c] |= IN_HOST
    for c in range(256):
        TOKEN[c] = LOWER[c] if KIND[c] & IN_TOKEN else 0


_fill_tables()

cdef dict NOTHING = {}  # shared, and never filled
cdef bytes B_GET = b"GET"
cdef bytes B_HOST = b"host"
cdef bytes B_LENGTH = b"content-length"
cdef bytes B_COOKIE = b"cookie"

# What a header's name means (see `headers`); a name that is none of these is plain.
cdef enum:
    PLAIN
    HOST
    LENGTH
    COOKIE
    CONNECTION
    KEEP_ALIVE
    FORWARDING
    ENCODING
    RARE


cdef int _meaning(const unsigned char *name, Py_ssize_t size) nogil:
    """What a lower-case name means."""
    cdef unsigned char first = name[0]
    if first == c"x":
        if size >= 12 and memcmp(name, b"x-forwarded-", 12) == 0:
            return FORWARDING
        if size == 15 and memcmp(name, b"x-banyan-shadow", 15) == 0:
            return FORWARDING
        if size >= 9 and memcmp(name, b"x-banyan-", 9) == 0:
            return RARE
        if size == 12 and memcmp(name, b"x-request-id", 12) == 0:
            return FORWARDING
        if size == 9 and memcmp(name, b"x-real-ip", 9) == 0:
            return FORWARDING
        if size == 11 and memcmp(name, b"x-client-ip", 11) == 0:
            return FORWARDING
    elif first == c"c":
        if size == 6 and memcmp(name, b"cookie", 6) == 0:
            return COOKIE
        if size == 14 and memcmp(name, b"content-length", 14) == 0:
            return LENGTH
        if size == 10 and memcmp(name, b"connection", 10) == 0:
            return CONNECTION
        if size == 9 and memcmp(name, b"client-ip", 9) == 0:
            return FORWARDING
    elif first == c"h":
        if size == 4 and memcmp(name, b"host", 4) == 0:
            return HOST
        if size == 14 and memcmp(name, b"http2-settings", 14) == 0:
            return RARE
    elif first == c"t":
        if size == 17 and memcmp(name, b"transfer-encoding", 17) == 0:
            return ENCODING
        if (size == 2 and memcmp(name, b"te", 2) == 0) or (size == 7 and memcmp(name, b"trailer", 7) == 0):
            return RARE
    elif first == c"k":
        if size == 10 and memcmp(name, b"keep-alive", 10) == 0:
            return KEEP_ALIVE
    elif first == c"p":
        if size >= 6 and memcmp(name, b"proxy-", 6) == 0:
            return RARE
    elif first == c"u":
        if size == 7 and memcmp(name, b"upgrade", 7) == 0:
            return RARE
    elif first == c"f":
        if size == 9 and memcmp(name, b"forwarded", 9) == 0:
            return FORWARDING
    return PLAIN


cdef struct Line:
    const unsigned char *start  # of the line
    const unsigned char *value
    Py_ssize_t size  # of the line with its CRLF
    Py_ssize_t name_size, value_size
    unsigned char[64] name  # lower-case


cdef bint _line(const unsigned char *start, const unsigned char *end, Line *line) nogil:
    """The header line at `start` of a head that is plain; false where it is not plainly right. `end` is beyond the last
    line's CRLF."""
    cdef const unsigned char *at = start
    cdef const unsigned char *stop
    cdef unsigned char c
    cdef Py_ssize_t size = 0
    while size < 64:
        c = TOKEN[at[size]]
        if c == 0:
            break
        line.name[size] = c
        size += 1
    at += size
    if size == 0 or at[0] != c":":
        return False
    line.name_size = size
    at += 1
    while at[0] == c" " or at[0] == 9:
        at += 1
    stop = <const unsigned char *>memchr(at, 10, end - at)
    if stop == NULL or stop[-1] != 13:
        return False
    line.start = start
    line.value = at
    line.size = stop + 1 - start
    stop -= 1
    while stop > at and (stop[-1] == c" " or stop[-1] == 9):
        stop -= 1
    line.value_size = stop - at
    return True


cdef bytes _value(Line *line):
    return PyBytes_FromStringAndSize(<const char *>line.value, line.value_size)


cdef int _persistence(const unsigned char *value, Py_ssize_t size) nogil:
    """1 for keep-alive, 0 for close, -1 for anything else."""
    cdef Py_ssize_t at
    cdef unsigned char[10] lower
    if size != 10 and size != 5:
        return -1
    for at in range(size):
        lower[at] = LOWER[value[at]]
    if size == 10:
        return 1 if memcmp(lower, b"keep-alive", 10) == 0 else -1
    return 0 if memcmp(lower, b"close", 5) == 0 else -1


cdef long long _number(const unsigned char *value, Py_ssize_t size) nogil:
    """A plain decimal number of at most 18 digits, else -1."""
    cdef Py_ssize_t at
    cdef long long number = 0
    if size < 1 or size > 18:
        return -1
    for at in range(size):
        if value[at] < 48 or value[at] > 57:
            return -1
        number = number * 10 + (value[at] - 48)
    return number


cdef class Scanner:
    """See `scan.Scanner`."""

    cdef object _python
    cdef object _noted
    cdef unsigned long long _noted_sizes  # bit n: some noted name has n bytes
    cdef Py_ssize_t _head_bytes, _target_bytes, _header_count

    def __init__(self, limits, noted=frozenset()):
        self._python = PythonScanner(limits, noted)
        self._noted = {bytes(name): bytes(name) for name in noted}
        self._noted_sizes = 0
        for name in noted:
            if len(name) < 64:
                self._noted_sizes |= 1ULL << <int>len(name)
        self._head_bytes = limits.head_bytes
        self._target_bytes = limits.target_bytes
        self._header_count = limits.header_count

    def request(self, bytes data):
        """See `scan.Scanner.request`."""
        head = self._request(data)
        return self._python.request(data) if head is None else head

    def response(self, bytes data, bytes method):
        """See `scan.Scanner.response`."""
        head = self._response(data, method)
        return self._python.response(data, method) if head is None else head

    cdef Py_ssize_t _end(self, const unsigned char *start, Py_ssize_t size):
        """Where the blank line begins, -1 where none is within the limit, or what is before it is not plain."""
        if size > self._head_bytes + 4:
            size = self._head_bytes + 4
        cdef const unsigned char *found = blank_line(start, size)
        return found - start if found != NULL and is_plain(start, found + 3 - start) else -1

    cdef RequestHead _request(self, bytes data):
        cdef const unsigned char *start = <const unsigned char *>PyBytes_AS_STRING(data)
        cdef Py_ssize_t end = self._end(start, PyBytes_GET_SIZE(data))
        if end < 0:
            return None
        # METHOD SP TARGET SP HTTP/1.1 CRLF
        cdef Py_ssize_t at = 0
        while KIND[start[at]] & IN_TOKEN:
            at += 1
        cdef Py_ssize_t method_size = at
        if at == 0 or start[at] != c" " or start[at + 1] != c"/":
            return None
        if at == 7 and memcmp(start, b"CONNECT", 7) == 0:
            return None
        at += 1
        cdef Py_ssize_t target_at = at
        cdef Py_ssize_t query_at = -1
        while KIND[start[at]] & IN_TARGET:
            if start[at] == c"?" and query_at < 0:
                query_at = at
            at += 1
        cdef Py_ssize_t target_end = at
        if target_end - target_at > self._target_bytes or end + 4 - at < 11:
            return None
        if memcmp(start + at, b" HTTP/1.1\r\n", 11) != 0:
            return None
        at += 11
        cdef RequestHead head = RequestHead.__new__(RequestHead)
        head.fields = {}
        head.forwarding = NOTHING
        head.host = None
        head.keep_alive = True
        head.length = 0
        cdef const unsigned char *line_at = start + at
        cdef const unsigned char *stop = start + end + 2
        cdef bytes block = PyBytes_FromStringAndSize(NULL, stop - line_at) if stop > line_at else b""
        cdef unsigned char *out = <unsigned char *>PyBytes_AS_STRING(block)
        cdef Py_ssize_t written = 0, count = 0
        cdef Line line
        cdef int meaning, persistence
        cdef bint kept
        cdef long long length
        while line_at < stop:
            if not _line(line_at, stop, &line) or memchr(line.name, c"_", line.name_size) != NULL:
                return None
            line_at += line.size
            count += 1
            meaning = _meaning(line.name, line.name_size)
            kept = True
            if meaning == PLAIN:
                self._note(head.fields, &line)
            elif meaning == HOST:
                if head.host is not None or not _is_plain_host(line.value, line.value_size):
                    return None
                head.host = _value(&line)
                head.fields[B_HOST] = head.host
            elif meaning == COOKIE:
                if B_COOKIE in head.fields:
                    return None
                head.fields[B_COOKIE] = _value(&line)
            elif meaning == LENGTH:
                length = _number(line.value, line.value_size)
                if length < 0 or B_LENGTH in head.fields:
                    return None
                head.length = length
                head.fields[B_LENGTH] = _value(&line)
            elif meaning == FORWARDING:
                kept = False
                name = PyBytes_FromStringAndSize(<const char *>line.name, line.name_size)
                if head.forwarding is NOTHING:
                    head.forwarding = {}
                elif name in head.forwarding:
                    return None
                head.forwarding[name] = _value(&line)
            elif meaning == CONNECTION:
                kept = False
                persistence = _persistence(line.value, line.value_size)
                if persistence < 0 or head.connection is not None:
                    return None
                head.connection = b"keep-alive" if persistence else b"close"
                head.keep_alive = persistence
            elif meaning == KEEP_ALIVE:
                kept = False
            else:
                return None
            if kept:
                memcpy(out + written, line.start, line.size)
                written += line.size
        if head.host is None or count > self._header_count or line_at != stop:
            return None
        if method_size == 3 and memcmp(start, b"GET", 3) == 0:
            head.method = B_GET  # whose hash is known
        else:
            head.method = PyBytes_FromStringAndSize(<const char *>start, method_size)
        head.target = PyBytes_FromStringAndSize(<const char *>(start + target_at), target_end - target_at)
        if query_at < 0:
            head.path = head.target
            head.query = b""
        else:
            head.path = PyBytes_FromStringAndSize(<const char *>(start + target_at), query_at - target_at)
            head.query = PyBytes_FromStringAndSize(<const char *>(start + query_at + 1), target_end - query_at - 1)
        head.block = block if written == PyBytes_GET_SIZE(block) else PyBytes_FromStringAndSize(<const char *>out, written)
        if head.connection is None:
            head.connection = b""
        head.encoding = b""
        head.minor = 1
        head.size = end + 4
        return head

    cdef ResponseHead _response(self, bytes data, bytes method):
        cdef const unsigned char *start = <const unsigned char *>PyBytes_AS_STRING(data)
        cdef Py_ssize_t end = self._end(start, PyBytes_GET_SIZE(data))
        if end < 12 or memcmp(start, b"HTTP/1.1 ", 9) != 0:
            return None
        cdef int status = 0
        cdef Py_ssize_t at
        for at in range(9, 12):
            if start[at] < 48 or start[at] > 57:
                return None
            status = status * 10 + (start[at] - 48)
        at = 12
        if status < 200 or status > 599 or (start[at] != c" " and start[at] != 13):
            return None
        while KIND[start[at]] & IN_VALUE:
            at += 1
        if start[at] != 13 or start[at + 1] != 10:
            return None
        cdef ResponseHead head = ResponseHead.__new__(ResponseHead)
        head.status_line = PyBytes_FromStringAndSize(<const char *>start, at)
        at += 2
        head.fields = {}
        head.keep_alive = True
        cdef const unsigned char *line_at = start + at
        cdef const unsigned char *stop = start + end + 2
        cdef bytes block = PyBytes_FromStringAndSize(NULL, stop - line_at) if stop > line_at else b""
        cdef unsigned char *out = <unsigned char *>PyBytes_AS_STRING(block)
        cdef Py_ssize_t written = 0, count = 0
        cdef Line line
        cdef int meaning, persistence
        cdef bint kept, chunked = False
        cdef long long length = -2, said
        while line_at < stop:
            if not _line(line_at, stop, &line):
                return None
            line_at += line.size
            count += 1
            meaning = _meaning(line.name, line.name_size)
            kept = True
            if meaning == PLAIN or meaning == COOKIE or meaning == HOST or meaning == FORWARDING:
                self._note(head.fields, &line)
            elif meaning == LENGTH:
                said = _number(line.value, line.value_size)
                if said < 0 or length >= 0 or chunked:
                    return None
                length = said
                head.fields[B_LENGTH] = _value(&line)
            elif meaning == ENCODING:
                kept = False
                if chunked or length >= 0 or line.value_size != 7 or memcmp(line.value, b"chunked", 7) != 0:
                    return None
                chunked = True
            elif meaning == CONNECTION:
                kept = False
                persistence = _persistence(line.value, line.value_size)
                if persistence < 0 or head.connection is not None:
                    return None
                head.connection = b"keep-alive" if persistence else b"close"
                head.keep_alive = persistence
            elif meaning == KEEP_ALIVE:
                kept = False
            else:
                return None
            if kept:
                memcpy(out + written, line.start, line.size)
                written += line.size
        if count > self._header_count or line_at != stop:
            return None
        if method == b"HEAD" or status == 204 or status == 304:
            head.length = 0
        else:
            head.length = -1 if chunked else length
        head.status = status
        head.minor = 1
        head.size = end + 4
        head.block = block if written == PyBytes_GET_SIZE(block) else PyBytes_FromStringAndSize(<const char *>out, written)
        if head.connection is None:
            head.connection = b""
        head.encoding = b"chunked" if chunked else b""
        head.upgrade = b""
        return head

    cdef _note(self, dict fields, Line *line):
        """Keep the value of a noted header, if it is the first."""
        if line.name_size >= 64 or not (self._noted_sizes >> line.name_size) & 1:
            return
        name = (<dict>self._noted).get(PyBytes_FromStringAndSize(<const char *>line.name, line.name_size))
        if name is not None and name not in fields:
            fields[name] = _value(line)


cdef bint _is_plain_host(const unsigned char *value, Py_ssize_t size) nogil:
    """NAME or NAME:PORT of letters, digits, dots and dashes; anything else is for the scanner in Python."""
    cdef Py_ssize_t at, colon = -1
    for at in range(size):
        if not KIND[value[at]] & IN_HOST:
            return False
        if value[at] == c":":
            if colon >= 0:
                return False
            colon = at
        elif colon >= 0 and (value[at] < 48 or value[at] > 57):
            return False
    return size > 0 and colon != 0 and (colon < 0 or size - colon - 1 <= 5)
