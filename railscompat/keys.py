# SPDX-License-Identifier: AGPL-3.0-or-later
"""From the application's secret to the keys of the single formats.

Rails gives each use of its secret a salt of its own, so that a key that leaks opens one door only.
"""

import hashlib

ENCRYPTED_COOKIE_SALT = "authenticated encrypted cookie"
SIGNED_COOKIE_SALT = "signed cookie"
ACTIVE_STORAGE_SALT = "ActiveStorage"

CIPHER_KEY_LENGTH = 32
"""Bytes of an AES-256 key."""
SIGNING_KEY_LENGTH = 64
"""Bytes of every HMAC key, whatever the digest."""


def derive_key(secret_key_base: str, salt: str, length: int, iterations: int = 1000) -> bytes:
    """`length` bytes for the use named by `salt`, as Rails' key generator derives them (PBKDF2-HMAC-SHA1).

    Takes about half a millisecond per 1,000 iterations and 20 bytes: derive once and keep the result. Raises
    ValueError for an empty secret, which would be everyone's secret.
    """
    if not secret_key_base:
        raise ValueError("the secret is empty")
    return hashlib.pbkdf2_hmac("sha1", secret_key_base.encode(), salt.encode(), iterations, length)
