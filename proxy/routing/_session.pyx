# SPDX-License-Identifier: AGPL-3.0-or-later
# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Sessions read in C: the contracts of `railscompat.cookies.unseal` and `railscompat.glance.glance`.

Only what is plainly right is read here; anything else is left to Python, which says what is wrong with it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp

from railscompat import cookies

cdef enum:
    MOST = 4096  # cookies.MAX_COOKIE_BYTES
    NONCE = 12
    TAG = 16
    SPARE = 255  # no digit of base 64, or no hexadecimal digit

cdef unsigned char[256] SIX_BITS
cdef unsigned char[256] HEX


cdef void _fill_tables():
    cdef int c, at = 0
    for c in range(256):
        SIX_BITS[c] = HEX[c] = SPARE
    for c in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/":
        SIX_BITS[c] = at
        at += 1
    for c in range(10):
        HEX[48 + c] = c
    for c in range(6):
        HEX[65 + c] = HEX[97 + c] = 10 + c


_fill_tables()


def unseal(value):
    """See `railscompat.cookies.unseal`."""
    cdef unsigned char[MOST] plain
    cdef Py_ssize_t size, first, second, most, length
    if not PyBytes_CheckExact(value):
        return cookies.unseal(value)
    size = _unescape(<const unsigned char *>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), plain)
    first = _dashes(plain, 0, size)
    second = _dashes(plain, first + 2, size) if first > 0 else -1
    if second < 0 or second - first - 2 != 16 or size - second - 2 != 24:
        return cookies.unseal(value)
    most = first // 4 * 3
    cdef bytes sealed = PyBytes_FromStringAndSize(NULL, most + TAG + 2)
    cdef bytes nonce = PyBytes_FromStringAndSize(NULL, NONCE)
    cdef unsigned char *out = <unsigned char *>PyBytes_AS_STRING(sealed)
    length = _decode(plain, first, out)
    if (
        length < 0
        or _decode(plain + first + 2, 16, <unsigned char *>PyBytes_AS_STRING(nonce)) != NONCE
        or _decode(plain + second + 2, 24, out + length) != TAG
    ):
        return cookies.unseal(value)
    return nonce, sealed[: length + TAG]


cdef Py_ssize_t _unescape(const unsigned char *value, Py_ssize_t size, unsigned char *out) nogil:
    """Without percent-encoding; 0 where that is not plainly right, or too long."""
    cdef Py_ssize_t at = 0, written = 0
    cdef unsigned char c
    while at < size:
        c = value[at]
        if written == MOST or c == c"+":
            return 0
        if c == c"%":
            if size - at < 3 or HEX[value[at + 1]] == SPARE or HEX[value[at + 2]] == SPARE:
                return 0
            c = HEX[value[at + 1]] * 16 + HEX[value[at + 2]]
            at += 2
        out[written] = c
        written += 1
        at += 1
    return written


cdef Py_ssize_t _dashes(const unsigned char *text, Py_ssize_t at, Py_ssize_t size) nogil:
    """Where the next `--` is; -1 for nowhere."""
    while at < size - 1:
        if text[at] == c"-" and text[at + 1] == c"-":
            return at
        at += 1
    return -1


cdef Py_ssize_t _decode(const unsigned char *text, Py_ssize_t size, unsigned char *out) nogil:
    """Strict base 64: how many bytes it was, -1 where it is none. May write two bytes beyond."""
    cdef Py_ssize_t at = 0, written = 0, padding = 0
    cdef unsigned int a, b, c, d
    if size == 0 or size % 4:
        return -1
    if text[size - 1] == c"=":
        padding = 2 if text[size - 2] == c"=" else 1
    while at < size:
        a = SIX_BITS[text[at]]
        b = SIX_BITS[text[at + 1]]
        c = SIX_BITS[text[at + 2]]
        d = SIX_BITS[text[at + 3]]
        at += 4
        if at == size and padding:
            d = 0
            if padding == 2:
                c = 0
                if b & 15:
                    return -1
            elif c & 3:
                return -1
        if (a | b | c | d) & 0xC0:
            return -1
        out[written] = (a << 2 | b >> 4) & 255
        if at < size or padding < 2:
            out[written + 1] = (b << 4 | c >> 2) & 255
        if at < size or padding < 1:
            out[written + 2] = (c << 6 | d) & 255
        written += 3
    return written - padding


cdef bytes USER_KEY = b"warden.user.user.key"


cdef struct Text:
    const unsigned char *start
    Py_ssize_t size


def glance(bytes payload):
    """See `railscompat.glance.glance`."""
    cdef const unsigned char *data = <const unsigned char *>PyBytes_AS_STRING(payload)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(payload), at = 4
    cdef int left
    cdef Text text
    cdef long long user = -1
    if end < 4 or data[0] != 4 or data[1] != 8 or data[2] != c"{":
        return None
    left = <int>data[3] - 5
    if not 0 < left < 123:
        return None
    cdef list keys = []
    while left:
        left -= 1
        at = _text(data, at, end, &text)
        if at < 0:
            return None
        key = PyBytes_FromStringAndSize(<const char *>text.start, text.size)
        if key in keys:
            return None
        keys.append(key)
        if key == USER_KEY:
            at = _user(data, at, end, &user)
        else:
            at = _after(data, at, end, 4)
        if at < 0:
            return None
    if at != end:
        return None
    return (None if user < 0 else user), tuple(keys)


cdef Py_ssize_t _text(const unsigned char *data, Py_ssize_t at, Py_ssize_t end, Text *text) nogil:
    """An ASCII text at `at`: where it ends, -1 where there is none of the usual form."""
    cdef Py_ssize_t size, n
    if end - at < 4 or data[at] != c"I" or data[at + 1] != c'"':
        return -1
    size = data[at + 2]
    at += 3
    if size == 1:
        size = data[at]
        at += 1
    elif 5 < size < 128:
        size -= 5
    else:
        return -1
    if end - at < size + 4:  # three bytes of encoding and a truth at least
        return -1
    for n in range(size):
        if data[at + n] >= 128:
            return -1
    text.start = data + at
    text.size = size
    at += size
    if memcmp(data + at, b"\x06;\x00", 3) == 0:
        at += 3
    elif memcmp(data + at, b"\x06:\x06E", 4) == 0:
        at += 4
    else:
        return -1
    if at >= end or (data[at] != c"T" and data[at] != c"F"):
        return -1
    return at + 1


cdef Py_ssize_t _after(const unsigned char *data, Py_ssize_t at, Py_ssize_t end, int depth) nogil:
    """Where the value at `at` ends, -1 where it is none of the usual kinds."""
    cdef Text text
    cdef int members
    if at >= end:
        return -1
    if data[at] == c"I":
        return _text(data, at, end, &text)
    if data[at] == c"0" or data[at] == c"T" or data[at] == c"F":
        return at + 1
    if (data[at] != c"[" and data[at] != c"{") or depth == 0 or end - at < 2:
        return -1
    members = data[at + 1] - 5 if data[at + 1] else 0
    if not 0 <= members < 20:
        return -1
    if data[at] == c"{":
        members *= 2
    at += 2
    while members and at >= 0:
        at = _after(data, at, end, depth - 1)
        members -= 1
    return at


cdef Py_ssize_t _user(const unsigned char *data, Py_ssize_t at, Py_ssize_t end, long long *user) nogil:
    """`[[id], salt]` at `at`: where it ends, -1 where it is something else."""
    cdef Text text
    cdef Py_ssize_t size, n
    if end - at < 11 or memcmp(data + at, b"[\x07[\x06i", 5) != 0:
        return -1
    size = data[at + 5]
    at += 6
    if 5 < size < 128:
        user[0] = size - 5
    elif 0 < size < 5:
        user[0] = 0
        for n in range(size):
            user[0] |= <long long>data[at + n] << (8 * n)
        at += size
    else:
        return -1
    return _text(data, at, end, &text)
