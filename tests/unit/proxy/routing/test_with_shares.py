# SPDX-License-Identifier: AGPL-3.0-or-later
"""A table with other shares: only they change, and the kill switch stands above them."""

from __future__ import annotations

from pathlib import Path

from proxy.routing.compile import compile_table
from proxy.routing.table import Share
from tests.unit.proxy.config.routingfiles import HEAD, usable

GROUPS = """groups:
  tags: {percent: 1, routes: [GET /tags]}
  polls: {percent: 5, routes: [GET /polls]}
  dead: {percent: 5, kill: true, routes: [GET /dead]}
"""


def test_only_the_named_groups_change(tmp_path: Path) -> None:
    table = compile_table(usable(tmp_path, HEAD + GROUPS), 3)
    other = table.with_shares({"tags": Share(12.34, 7), "unknown": Share(1)})
    tags = other.match(b"GET", b"/tags")
    assert tags is not None
    assert tags.group is other.groups[0]
    assert (other.groups[0].percent, other.groups[0].threshold, other.groups[0].epoch) == (12.34, 1234, 7)
    assert other.groups[1] is table.groups[1]
    assert other.match(b"GET", b"/polls") is table.match(b"GET", b"/polls")
    assert other.generation == 3
    assert table.groups[0].percent == 1


def test_a_killed_group_stays_killed(tmp_path: Path) -> None:
    table = compile_table(usable(tmp_path, HEAD + GROUPS), 1).with_shares({"dead": Share(100)})
    assert table.groups[2].kill
