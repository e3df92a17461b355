# SPDX-License-Identifier: AGPL-3.0-or-later
"""A subject's place among all subjects: the same as long as the salt and the subject are."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

BUCKETS: Final = 10_000
"""Into how many parts the users are divided: a share moves in steps of 0.01 %."""


def hash_of(salt: bytes, subject: bytes) -> int:
    """A subject's number of 64 bits. `salt` holds no NUL, so no two pairs run together."""
    return int.from_bytes(blake2b(salt + b"\0" + subject, digest_size=8).digest(), "big")


def bucket_of(salt: bytes, subject: bytes) -> int:
    """The bucket, 0 to 9,999, of a subject."""
    return hash_of(salt, subject) % BUCKETS
