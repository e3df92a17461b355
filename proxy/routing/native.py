# SPDX-License-Identifier: AGPL-3.0-or-later
"""How subjects are read: in C where that may be (see `proxy.compiled`), else in Python."""

from __future__ import annotations

try:
    from proxy.routing._subject import glance, hash_of, unseal, value_in
except ImportError:  # it was not built, or is not wanted
    from proxy.routing.buckets import hash_of
    from railscompat.cookies import unseal, value_in
    from railscompat.glance import glance

__all__ = ["glance", "hash_of", "unseal", "value_in"]
