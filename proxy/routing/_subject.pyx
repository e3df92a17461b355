# SPDX-License-Identifier: AGPL-3.0-or-later
# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Subjects read in C: the contracts of `railscompat.cookies.value_in` and `unseal`, `railscompat.glance.glance` and
`proxy.routing.buckets.hash_of`.

Only what is plainly right is read here; anything else is left to Python, which says what is wrong with it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memcpy, memset

from proxy.routing import buckets
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
    for c in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789":
        SIX_BITS[c] = at
        at += 1
    SIX_BITS[c"/"] = 63  # for the plus see `_decode`
    for c in range(10):
        HEX[48 + c] = c
    for c in range(6):
        HEX[65 + c] = HEX[97 + c] = 10 + c


_fill_tables()


def value_in(bytes header, bytes wanted):
    """See `railscompat.cookies.value_in`."""
    cdef const unsigned char *text = <const unsigned char *>PyBytes_AS_STRING(header)
    cdef const unsigned char *name = <const unsigned char *>PyBytes_AS_STRING(wanted)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(header), length = PyBytes_GET_SIZE(wanted), before
    cdef const unsigned char *end = text + size
    cdef const unsigned char *at = text
    cdef const unsigned char *stop
    while end - at >= length:
        at = <const unsigned char *>memchr(at, name[0], end - at - length + 1)
        if at == NULL:
            return None
        if memcmp(at, name, length) == 0:
            before = at - text
            while before > 0 and text[before - 1] == c" ":
                before -= 1
            if before == 0 or text[before - 1] == c";":
                at += length
                stop = <const unsigned char *>memchr(at, c";", end - at)
                if stop == NULL:
                    stop = end
                return PyBytes_FromStringAndSize(<const char *>at, stop - at)
        at += 1
    return None


def unseal(value):
    """See `railscompat.cookies.unseal`."""
    cdef unsigned char[MOST] plain
    cdef unsigned char[64] nonce, tag
    cdef Py_ssize_t size, at = 0, length
    if not PyBytes_CheckExact(value) or PyBytes_GET_SIZE(value) > MOST - TAG:
        return cookies.unseal(value)
    size = PyBytes_GET_SIZE(value)
    cdef const unsigned char *text = <const unsigned char *>PyBytes_AS_STRING(value)
    length = _decode(text, &at, size, plain, MOST)
    if length < 1 or not _dashes(text, &at, size) or _decode(text, &at, size, nonce, 64) != NONCE:
        return cookies.unseal(value)
    if not _dashes(text, &at, size) or _decode(text, &at, size, tag, 64) != TAG or at != size:
        return cookies.unseal(value)
    memcpy(plain + length, tag, TAG)
    return (
        PyBytes_FromStringAndSize(<const char *>nonce, NONCE),
        PyBytes_FromStringAndSize(<const char *>plain, length + TAG),
    )


cdef bint _dashes(const unsigned char *text, Py_ssize_t *at, Py_ssize_t size) nogil:
    """Past the two dashes that must be here."""
    if size - at[0] < 2 or text[at[0]] != c"-" or text[at[0] + 1] != c"-":
        return False
    at[0] += 2
    return True


cdef Py_ssize_t _decode(
    const unsigned char *text, Py_ssize_t *start, Py_ssize_t size, unsigned char *out, Py_ssize_t room
) nogil:
    """Strict base 64, as Rails percent-encodes it, up to a dash or the end: how many bytes it was, -1 where it is none.

    Goes on at `start` and leaves there where it ended. Writes less than `room`.
    """
    cdef Py_ssize_t at = start[0], written = 0
    cdef unsigned int a, b, c, d, bits = 0
    cdef int count = 0, padding = 0
    while True:
        if count == 0:
            while size - at >= 4 and room - written >= 4:
                a = SIX_BITS[text[at]]
                b = SIX_BITS[text[at + 1]]
                c = SIX_BITS[text[at + 2]]
                d = SIX_BITS[text[at + 3]]
                if (a | b | c | d) & 0xC0:
                    break
                out[written] = (a << 2 | b >> 4) & 255
                out[written + 1] = (b << 4 | c >> 2) & 255
                out[written + 2] = (c << 6 | d) & 255
                written += 3
                at += 4
        if at == size or text[at] == c"-":
            break
        d = text[at]
        a = SIX_BITS[d]
        at += 1
        if a == SPARE:
            if d == c"%":
                if size - at < 2 or (HEX[text[at]] | HEX[text[at + 1]]) & 0xF0:
                    return -1
                d = HEX[text[at]] * 16 + HEX[text[at + 1]]
                at += 2
            if d == c"=":
                padding += 1
                a = 0
            elif d == c"+" and text[at - 1] != c"+":  # a bare one is a space for Rack
                a = 62
            else:
                a = SIX_BITS[d]
        if a == SPARE or (padding and d != c"="):
            return -1
        bits = bits << 6 | a
        count += 1
        if count == 4:
            if padding > 2 or room - written < 4 or (padding and bits & (0xFFFF if padding == 2 else 0xFF)):
                return -1
            out[written] = bits >> 16 & 255
            out[written + 1] = bits >> 8 & 255
            out[written + 2] = bits & 255
            written += 3 - padding
            bits = count = 0
            if padding:
                break
    start[0] = at
    return written if count == 0 else -1


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


cdef extern from *:
    """
    #include <stdint.h>
    /* BLAKE2b (RFC 7693) of one block with a digest of eight bytes, read as a big-endian number. */
    static const uint64_t BLAKE_IV[8] = {
        0x6a09e667f3bcc908ULL, 0xbb67ae8584caa73bULL, 0x3c6ef372fe94f82bULL, 0xa54ff53a5f1d36f1ULL,
        0x510e527fade682d1ULL, 0x9b05688c2b3e6c1fULL, 0x1f83d9abfb41bd6bULL, 0x5be0cd19137e2179ULL};
    static const unsigned char BLAKE_SIGMA[10][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
        {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
        {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
        {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
        {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};
    #define BLAKE_TURN(x, n) (((x) >> (n)) | ((x) << (64 - (n))))
    #define BLAKE_MIX(a, b, c, d, x, y) \
        a += b + x; d = BLAKE_TURN(d ^ a, 32); c += d; b = BLAKE_TURN(b ^ c, 24); \
        a += b + y; d = BLAKE_TURN(d ^ a, 16); c += d; b = BLAKE_TURN(b ^ c, 63);
    static uint64_t blake_word(const unsigned char *at) {
        uint64_t word = 0;
        for (int n = 7; n >= 0; n--) word = word << 8 | at[n];
        return word;
    }
    static uint64_t blake_number(const unsigned char block[128], size_t size) {
        uint64_t m[16], v[16], first, number = 0;
        for (int n = 0; n < 16; n++) m[n] = blake_word(block + 8 * n);
        for (int n = 0; n < 8; n++) v[n] = v[n + 8] = BLAKE_IV[n];
        first = v[0] ^= 0x01010008; /* fan-out 1, depth 1, no key, eight bytes of digest */
        v[12] ^= size;
        v[14] = ~v[14]; /* the last block */
        for (int n = 0; n < 12; n++) {
            const unsigned char *s = BLAKE_SIGMA[n % 10];
            BLAKE_MIX(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]]) BLAKE_MIX(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]])
            BLAKE_MIX(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]]) BLAKE_MIX(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]])
            BLAKE_MIX(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]])
            BLAKE_MIX(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]])
            BLAKE_MIX(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]])
            BLAKE_MIX(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]])
        }
        first ^= v[0] ^ v[8];
        for (int n = 0; n < 8; n++) number = number << 8 | (first >> 8 * n & 255);
        return number;
    }
    """
    unsigned long long blake_number(const unsigned char *block, size_t size) nogil


def hash_of(bytes salt, bytes subject):
    """See `proxy.routing.buckets.hash_of`."""
    cdef unsigned char[128] block
    cdef Py_ssize_t before = PyBytes_GET_SIZE(salt) + 1, size = PyBytes_GET_SIZE(subject)
    if before + size > 128:
        return buckets.hash_of(salt, subject)
    memset(block, 0, 128)
    memcpy(block, PyBytes_AS_STRING(salt), before - 1)
    memcpy(block + before, PyBytes_AS_STRING(subject), size)
    return blake_number(block, before + size)
