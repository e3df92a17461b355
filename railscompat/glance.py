# SPDX-License-Identifier: AGPL-3.0-or-later
"""A glance at a session: who it belongs to and which keys it holds, without reading all of it.

A proxy does this for nearly every request, for Rails encrypts the session anew each time. Sessions look alike: texts
under text keys, and the user. What looks like that is read here in a third of the time; anything else is for
`marshal.load`, which also judges what is malformed.
"""

from typing import Final

_HASH: Final = b"\x04\x08{"
_USER_KEY: Final = b"warden.user.user.key"
_USER_BEGINS: Final = b"[\x07[\x06i"  # an array of two, the first an array of one integer
# A text's encoding: one variable, the symbol E, true for UTF-8 and false for ASCII. Later ones name the symbol by
# its place, which is the first.
_FIRST_ENCODING: Final = b"\x06:\x06E"
_LATER_ENCODING: Final = b"\x06;\x00"
_TRUTHS: Final = frozenset(b"TF")
_ARRAY, _HASH_INSIDE = b"[{"
_DEPTH: Final = 4
_TEXT: Final = 0x49  # I, with `"` behind it
_PLAIN: Final = frozenset(b"0TF")  # nil, true, false


def glance(payload: bytes) -> tuple[int | None, tuple[bytes, ...]] | None:
    """(The user's id or None for nobody, the keys in their order) of a Marshal dump; None: read it whole."""
    if not payload.startswith(_HASH):
        return None
    try:
        left = payload[3] - 5
        if not 0 < left < 123:
            return None
        keys: list[bytes] = []
        user: int | None = None
        at = 4
        while left:
            left -= 1
            at, key = _text(payload, at)
            keys.append(key)
            if key == _USER_KEY:
                at, user = _user(payload, at)
            else:
                at = _after(payload, at, _DEPTH)
    except (IndexError, ValueError):
        return None
    if at != len(payload) or len(set(keys)) != len(keys):
        return None
    return user, tuple(keys)


def _text(payload: bytes, at: int) -> tuple[int, bytes]:
    """An ASCII text at `at`: (where it ends, its bytes). ValueError where there is none of the usual form."""
    size = payload[at + 2]
    start = at + 3
    if size == 1:
        size = payload[start]
        start += 1
    elif 5 < size < 128:
        size -= 5
    else:
        raise ValueError
    end = start + size
    text = payload[start:end]
    if payload[at : at + 2] != b'I"' or not text.isascii():
        raise ValueError
    if payload[end : end + 3] == _LATER_ENCODING:
        end += 3
    elif payload[end : end + 4] == _FIRST_ENCODING:
        end += 4
    else:
        raise ValueError
    if payload[end] not in _TRUTHS:
        raise ValueError
    return end + 1, text


def _after(payload: bytes, at: int, depth: int) -> int:
    """Where the value at `at` ends: a text, nil, true, false, or a short array or hash of such (a flash)."""
    kind = payload[at]
    if kind == _TEXT:
        return _text(payload, at)[0]
    if kind in _PLAIN:
        return at + 1
    if kind not in (_ARRAY, _HASH_INSIDE) or not depth:
        raise ValueError
    size = payload[at + 1]
    members = size - 5 if size else 0
    if not 0 <= members < 20:
        raise ValueError
    at += 2
    for _ in range(members if kind == _ARRAY else 2 * members):
        at = _after(payload, at, depth - 1)
    return at


def _user(payload: bytes, at: int) -> tuple[int, int]:
    """`[[id], salt]` at `at`: (where it ends, id)."""
    if payload[at : at + 5] != _USER_BEGINS:
        raise ValueError
    at += 5
    size = payload[at]
    at += 1
    if 5 < size < 128:
        user = size - 5
    elif 0 < size < 5:
        user = int.from_bytes(payload[at : at + size], "little")
        at += size
    else:
        raise ValueError
    at, _ = _text(payload, at)
    return at, user
