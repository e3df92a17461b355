# SPDX-License-Identifier: AGPL-3.0-or-later
"""File descriptors: every connection takes one, and a worker without any turns clients away."""

from __future__ import annotations

import contextlib
import resource
from typing import Final

import structlog

from proxy.routing.table import Table

_CLIENTS: Final = 1024  # idle clients that any edge should be able to hold
_OWN: Final = 64  # listening sockets, control, log, event loop

log = structlog.get_logger()


def raise_limit() -> int:
    """Raise this process' limit, which its workers inherit, as far as it may; the limit then."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems have a hard limit beyond what they grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def wanted(table: Table) -> int:
    """How many a worker may need: all its pools full, a client for each of their connections, and idle ones."""
    upstream = sum(backend.pool.max_connections for backend in table.backends)
    return 2 * upstream + _CLIENTS + _OWN


def warn_if_few(limit: int, table: Table) -> bool:
    """Say so where the limit is below what a worker may need."""
    few = limit < wanted(table)
    if few:
        log.warning(
            "few file descriptors",
            limit=limit,
            wanted=wanted(table),
            effect="a worker that has none left turns clients away",
            remedy="raise the hard limit (LimitNOFILE= of systemd, ulimit -Hn), or lower pool.max_connections",
        )
    return few
