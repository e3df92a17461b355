# SPDX-License-Identifier: AGPL-3.0-or-later
"""Base64 as Ruby's strict functions take it: one way to write each sequence of bytes, and no other accepted."""

import binascii


def encode(data: bytes) -> str:
    """Padded, in the standard alphabet, on one line."""
    return binascii.b2a_base64(data, newline=False).decode()


def decode(text: bytes) -> bytes:
    """The bytes of what `encode` wrote. Raises ValueError for anything else.

    Python lets the bits that padding leaves over be anything; Ruby wants them to be zero.
    """
    data = binascii.a2b_base64(text, strict_mode=True)
    over = len(data) % 3
    if over and binascii.b2a_base64(data[-over:], newline=False) != text[-4:]:
        raise ValueError("bits are left over")
    return data
