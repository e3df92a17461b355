# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bodies as they were before they were compressed, within a bound. Pure."""

from __future__ import annotations

import zlib

ACCEPTED = "gzip"
"""What a repeated request accepts, where the user's accepted it: everything that is understood here and in use."""


class EncodingError(Exception):
    """A body cannot be inflated, or not within the bound."""


def inflate(body: bytes, encodings: str, limit: int) -> bytes:
    """The body without its Content-Encoding (the header's value, several separated by commas).

    Raises EncodingError: an encoding that is not known here, data that is broken or ends early, more than `limit`.
    """
    for coding in reversed([one.strip().lower() for one in encodings.split(",")]):
        if coding in ("", "identity") or not body:
            continue
        if coding in ("gzip", "x-gzip"):
            body = _inflate(body, limit, 31)
        elif coding == "deflate":
            # zlib's format by the standard, raw deflate by an old habit.
            wrapped = (body[0] & 0x0F) == 8 and len(body) > 1 and (body[0] << 8 | body[1]) % 31 == 0
            body = _inflate(body, limit, 15 if wrapped else -15)
        else:
            raise EncodingError(f"{coding[:20]} is not understood here")
    return body


def _inflate(body: bytes, limit: int, window: int) -> bytes:
    out: list[bytes] = []
    size = 0
    while body:  # gzip may have several members
        machine = zlib.decompressobj(window)
        try:
            piece = machine.decompress(body, limit - size + 1)
        except zlib.error as error:
            raise EncodingError(str(error)) from None
        size += len(piece)
        if size > limit:
            raise EncodingError("the body is larger than the bound")
        if not machine.eof:
            raise EncodingError("the body ends early")
        out.append(piece)
        body = machine.unused_data if window == 31 else b""
    return b"".join(out)
