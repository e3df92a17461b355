# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Devise stores and compares: token digests, password salts, remember-me.

Reset and unlock tokens travel in mails and are stored as digests. Their key comes from DEVISE_SECRET where
there is one, else from SECRET_KEY_BASE, by 65,536 iterations: some fifty milliseconds, so derive it once
per column.

Passwords are bcrypt, cost 10, without a pepper. The comparison itself takes about 60 ms and belongs in a
thread.
"""

import hmac
from datetime import datetime, timedelta
from typing import Final

from railscompat.keys import SIGNING_KEY_LENGTH, derive_key
from railscompat.session import RememberedUser

TOKEN_KEY_ITERATIONS: Final = 65_536
REMEMBER_FOR: Final = timedelta(weeks=2)

_BCRYPT_BYTES: Final = 72
_SALT_LETTERS: Final = 29


def token_key(secret: str, column: str) -> bytes:
    """The key of the digests in `column` (`reset_password_token`, `unlock_token`)."""
    return derive_key(secret, f"Devise {column}", SIGNING_KEY_LENGTH, TOKEN_KEY_ITERATIONS)


def token_digest(key: bytes, raw: str) -> str:
    """What is stored for the token `raw`: look the user up by it."""
    return hmac.new(key, raw.encode(), "sha256").hexdigest()


def truncate_password(password: str) -> bytes:
    """The bytes bcrypt looks at. Ruby's cuts by itself; Python's raises beyond 72."""
    return password.encode()[:_BCRYPT_BYTES]


def authenticatable_salt(encrypted_password: str | None) -> str:
    """What a session remembers of a password: version, cost and salt. Empty for a user without one."""
    return (encrypted_password or "")[:_SALT_LETTERS]


def is_remembered(
    user: RememberedUser, *, remember_token: str | None, remember_created_at: datetime | None, now: datetime
) -> bool:
    """Whether a remember-me cookie still signs its user in.

    `remember_token` and `remember_created_at` are the user's columns, the latter with a time zone. Signing
    out clears it, and so ends every cookie that was given out before.
    """
    if not remember_token or remember_created_at is None:
        return False
    fresh = now - REMEMBER_FOR < user.generated_at and user.generated_at > remember_created_at
    return fresh and hmac.compare_digest(user.token.encode(), remember_token.encode())
