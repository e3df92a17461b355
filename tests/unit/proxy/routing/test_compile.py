# SPDX-License-Identifier: AGPL-3.0-or-later
"""From what was written to what runs, and how it travels to the workers."""

from __future__ import annotations

import pickle

import pytest

from proxy.config.written import Repeat, Sticky
from proxy.routing.table import Address, header_spellings
from tests.unit.proxy.routing.tables import shipped_table, table_of

TEXT = """\
defaults: {sticky: "header:X-Tenant", body_limit: 1MB, keep_on_legacy: {query: [a], headers: [X-A]}}
bundles: {b: [one, two]}
limits: {body: 2MB}
trusted_proxies: [10.1.2.3/8]
groups:
  one: {stage: 3, percent: 33.33, routes: ["GET|HEAD /a"]}
  two: {percent: 33.33, sticky: none, from: python, to: other, body_limit: 5, shadow: 1, routes: [GET /b], kill: true}
"""


def test_names_become_things() -> None:
    table = table_of(TEXT, 7)
    one, two = table.groups
    assert table.generation == 7
    assert [backend.name for backend in table.backends] == ["legacy", "python", "other"]
    assert table.backends[1].addresses == (Address("127.0.0.1", 4000), Address("::1", 4001))
    assert (one.threshold, one.percent, one.stage, one.bundle) == (3333, 33.33, 3, "b")
    assert (one.from_backend, one.to_backend, two.from_backend, two.to_backend) == (0, 1, 1, 2)
    assert (one.sticky, one.sticky_header, two.sticky) == (Sticky.HEADER, b"x-tenant", Sticky.NONE)
    assert (one.kill, two.kill) == (False, True)
    assert [str(network) for network in table.trusted_proxies] == ["10.0.0.0/8"]
    assert not table.cookie_for_visitors
    assert one.guards is two.guards


def test_routes_know_their_group_and_limits() -> None:
    table = table_of(TEXT)
    first = table.match(b"GET", b"/a")
    second = table.match(b"GET", b"/b")
    assert first is not None
    assert second is not None
    assert (first.index, first.methods, first.group) == (0, ("GET", "HEAD"), table.groups[0])
    assert (first.body_limit, second.body_limit, table.unmatched.body_limit) == (1 << 20, 5, 2 << 20)
    assert (first.repeat, table.unmatched.name, table.unmatched.group) == (Repeat.SAFE, "unmatched", None)


@pytest.mark.parametrize(
    ("percent", "threshold"),
    [(0, 0), (0.01, 1), (0.07, 7), (1.1, 110), (28.99, 2899), (57.29, 5729), (100, 10_000)],
)
def test_thresholds_are_exact(percent: float, threshold: int) -> None:
    table = table_of(f"groups: {{g: {{percent: {percent}, routes: [GET /a]}}}}\n")
    assert table.groups[0].threshold == threshold


def test_a_table_survives_the_way_to_a_worker() -> None:
    table = shipped_table()
    copy = pickle.loads(pickle.dumps(table))
    assert (copy.groups, copy.backends, copy.routes, copy.limits) == (
        table.groups,
        table.backends,
        table.routes,
        table.limits,
    )
    found = copy.match(b"GET", b"/api/v1/boot/version")
    assert found is not None
    assert found.group is next(group for group in copy.groups if group.name == "boot-version")
    assert len(pickle.dumps(table)) < 100_000


def test_a_header_is_kept_in_every_spelling_a_rack_server_takes() -> None:
    assert set(header_spellings("X-A-B")) == {b"x-a-b", b"x_a-b", b"x-a_b", b"x_a_b"}
    assert header_spellings("Host") == (b"host",)
    assert header_spellings("-".join("abcdefghijkl")) == (b"a-b-c-d-e-f-g-h-i-j-k-l",)


def test_addresses_are_written_as_urls_have_them() -> None:
    assert Address("::1", 80).authority == "[::1]:80"
    assert Address("app", 3000).authority == "app:3000"
