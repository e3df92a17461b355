# SPDX-License-Identifier: AGPL-3.0-or-later
"""How many file descriptors a worker may need, and when there are too few."""

from __future__ import annotations

import resource
from pathlib import Path

from proxy.app.descriptors import raise_limit, wanted, warn_if_few
from tests.proxytest.edge import routing, table_of


def test_what_a_worker_may_need_follows_its_pools(tmp_path: Path) -> None:
    small, large = (
        table_of(routing("http://a:1", "http://b:1", backend=f"pool: {{max_connections: {most}}}"), tmp_path)
        for most in (10, 1000)
    )
    assert wanted(large) - wanted(small) == 2 * 2 * 990
    assert warn_if_few(wanted(large) - 1, large)
    assert not warn_if_few(wanted(large), large)


def test_the_soft_limit_becomes_the_hard_one() -> None:
    soft, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        assert raise_limit() == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
