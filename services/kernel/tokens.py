# SPDX-License-Identifier: AGPL-3.0-or-later
"""Random texts as Rails and Devise make them."""

from __future__ import annotations

import base64
import secrets

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_FRIENDLY = str.maketrans("lIO0", "sxyz")


def base58(length: int = 24) -> str:
    """Rails' `generate_unique_secure_token`: letters and digits that are not mistaken for one another."""
    return "".join(secrets.choice(_BASE58) for _ in range(length))


def friendly() -> str:
    """Devise's `friendly_token`: 20 letters."""
    return base64.urlsafe_b64encode(secrets.token_bytes(15)).decode().translate(_FRIENDLY)


def sign_in_code() -> int:
    """Six digits, of which the first is no zero."""
    return 100_000 + secrets.randbelow(900_000)
