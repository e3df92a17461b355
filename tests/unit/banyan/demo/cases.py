# SPDX-License-Identifier: AGPL-3.0-or-later
"""Recorded cases about nobody in particular."""

from __future__ import annotations

from typing import Any

import msgspec

from contracts.corpus import Read
from tests.unit.contracts.corpora import read_case


def case(path: str, body: Any, actor: str = "anonymous", **more: Any) -> Read:
    """A recorded read, as `read_case` writes it."""
    return msgspec.json.decode(msgspec.json.encode(read_case(path, body, actor, **more)), type=Read)
