# SPDX-License-Identifier: AGPL-3.0-or-later
"""How sessions are read: in C where that may be (see `proxy.compiled`), else in Python."""

from __future__ import annotations

try:
    from proxy.routing._session import glance, unseal
except ImportError:  # it was not built, or is not wanted
    from railscompat.cookies import unseal
    from railscompat.glance import glance

__all__ = ["glance", "unseal"]
