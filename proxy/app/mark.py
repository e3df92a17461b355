# SPDX-License-Identifier: AGPL-3.0-or-later
"""The value of the mark on repeated requests, by which an edge knows its own again.

The parent makes it and tells its processes through their environment: the command line could be read by others.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

MARK: Final = "BANYAN_SHADOW_MARK"
"""The environment variable."""


def mark_of(secret_key_base: str | None) -> str:
    """The same for all edges of one application, where they know its secret; nobody else can guess it."""
    if secret_key_base is None:
        return secrets.token_hex(16)
    return hmac.new(secret_key_base.encode(), b"banyan shadow", hashlib.sha256).hexdigest()[:32]
