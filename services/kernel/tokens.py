# SPDX-License-Identifier: AGPL-3.0-or-later
"""Chance, as a parameter, and the random texts that Rails and Devise make of it.

Everything random that somebody gets to see (tokens, codes, keys, ids) is drawn here from the `Randomness` that a
request's context holds; `system_randomness` is named where the application is put together, and nowhere else.
Only pauses that are drawn to keep tries apart are not: nobody sees them.
"""

from __future__ import annotations

import base64
import secrets
import string
import uuid
from collections.abc import Callable

Randomness = Callable[[int], bytes]
"""So many random bytes, fit for secrets."""

system_randomness: Randomness = secrets.token_bytes
"""What the machine draws."""

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_FRIENDLY = str.maketrans("lIO0", "sxyz")
_KEY_LETTERS = string.ascii_letters + string.digits
_KEY_LENGTH = 8


def below(random: Randomness, bound: int) -> int:
    """A whole number from 0 to `bound` - 1, each as likely as any other. `bound` is at least 1."""
    bits = (bound - 1).bit_length()
    while True:
        drawn = int.from_bytes(random((bits + 7) // 8)) >> (-bits % 8)
        if drawn < bound:
            return drawn


def base58(random: Randomness, length: int = 24) -> str:
    """Rails' `generate_unique_secure_token`: letters and digits that are not mistaken for one another."""
    return "".join(_BASE58[below(random, len(_BASE58))] for _ in range(length))


def friendly(random: Randomness) -> str:
    """Devise's `friendly_token`: 20 letters."""
    return base64.urlsafe_b64encode(random(15)).decode().translate(_FRIENDLY)


def sign_in_code(random: Randomness) -> int:
    """Six digits, of which the first is no zero."""
    return 100_000 + below(random, 900_000)


def record_key(random: Randomness) -> str:
    """The eight letters and digits by which records are known in addresses; no letter comes twice."""
    letters = list(_KEY_LETTERS)
    return "".join(letters.pop(below(random, len(letters))) for _ in range(_KEY_LENGTH))


def random_uuid(random: Randomness) -> str:
    """A UUID of version 4, as Ruby's `SecureRandom.uuid`."""
    return str(uuid.UUID(bytes=random(16), version=4))
