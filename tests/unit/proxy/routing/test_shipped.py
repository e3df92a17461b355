# SPDX-License-Identifier: AGPL-3.0-or-later
"""The routing file and catalogue that come with the project."""

from __future__ import annotations

import pytest

from contracts.corpus import Corpus
from proxy.config import load
from proxy.config.written import Repeat
from proxy.routing import Table
from tests.unit.proxy.routing.tables import ENVIRON, ROOT, shipped_table

IMPLEMENTED = {
    "boot#version",
    "groups#count_explore_results",
    "groups#suggest_handle",
    "reactions#index",
    "versions#show",
}
NOT_ROUTED = {"web/not found"}
HIDDEN = {"web/memberships#consume"}


@pytest.fixture(scope="module")
def table() -> Table:
    return shipped_table()


def test_they_are_without_findings() -> None:
    loaded = load(ROOT / "routing.yaml", ENVIRON)
    assert (loaded.errors, loaded.warnings) == ((), ())


def test_only_what_is_implemented_moves(table: Table) -> None:
    assert {route.name for route in table.routes if route.group and route.group.percent > 0} == IMPLEMENTED


def test_an_operator_flips_a_group_by_one_number_in_one_line() -> None:
    lines = (ROOT / "routing.yaml").read_text(encoding="utf-8").splitlines()
    loaded = load(ROOT / "routing.yaml", ENVIRON)
    assert loaded.config is not None
    for name in loaded.config.written.groups:
        (line,) = (line for line in lines if line.startswith(f"  {name}: "))
        assert line.count("percent: ") == 1
    assert max(map(len, lines)) <= 120


def test_administration_and_dead_ends_stay(table: Table) -> None:
    for route in table.routes:
        if route.name.startswith(("web/admin", "b1/", "web/dev/", "web/cable", "web/sidekiq", "web/blazer")):
            assert route.group is None


def test_stages_rise_and_bundles_stand_in_one_stage(table: Table) -> None:
    stages = [group.stage for group in table.groups]
    assert all(stage is not None for stage in stages)
    assert stages == sorted(stage for stage in stages if stage is not None)
    for bundle in {group.bundle for group in table.groups} - {None}:
        assert len({group.stage for group in table.groups if group.bundle == bundle}) == 1


def test_writes_are_never_repeated_blindly(table: Table) -> None:
    safe = [
        route
        for route in table.routes
        if route.repeat is Repeat.SAFE and route.group and "GET" not in route.methods
    ]
    assert {route.name for route in safe} == {"hocuspocus#create"}


def test_recorded_requests_find_the_route_of_their_endpoint(table: Table, corpus: Corpus) -> None:
    wrong = []
    for case in corpus.reads():
        found = table.match(b"GET", case.request.path.partition("?")[0].encode())
        expected = None if case.endpoint in NOT_ROUTED else case.endpoint
        if case.endpoint not in HIDDEN and (found.name if found else None) != expected:
            wrong.append((case.endpoint, case.request.path, found.name if found else None))
    assert wrong == []
