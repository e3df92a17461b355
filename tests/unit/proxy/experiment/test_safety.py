# SPDX-License-Identifier: AGPL-3.0-or-later
"""What may be asked again, and of whom: the table in the module, and nothing beyond it."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.experiment.safety import Sampler, is_kept, is_write, other_side
from proxy.routing.subject import SubjectReader
from proxy.routing.table import Table
from tests.proxytest.edge import table_of

CATALOGUE = """version: 1
routes:
- {method: GET, path: /safe, name: things#safe}
- {method: GET, path: /dry, name: things#dry, dry: it repairs}
- {method: GET, path: /unsafe, name: things#unsafe, unsafe: it sends mail}
- {method: POST, path: /things, name: things#create}
- {method: GET, path: /alone, name: alone#index}
"""
OLD, NEW = 0, 1


def table(folder: Path, group: str = "shadow: 100", more: str = "") -> Table:
    (folder / "routes.yaml").write_text(CATALOGUE)
    return table_of(
        "version: 1\nsalt: s\ncatalogue: routes.yaml\n"
        "backends:\n  legacy: {urls: ['http://a']}\n  python: {urls: ['http://b']}\n  third: {urls: ['http://c']}\n"
        f"{more}\ngroups:\n  things: {{routes: ['things#*'], {group}}}\n",
        folder,
    )


@pytest.mark.parametrize(
    ("path", "served", "other"),
    [
        (b"/safe", OLD, NEW),
        (b"/safe", NEW, OLD),
        (b"/dry", OLD, NEW),
        (b"/dry", NEW, None),
        (b"/unsafe", OLD, None),
        (b"/unsafe", NEW, None),
        (b"/alone", OLD, None),
        (b"/nowhere", OLD, None),
        (b"/safe", 2, None),
    ],
)
def test_who_may_be_asked(tmp_path: Path, path: bytes, served: int, other: int | None) -> None:
    running = table(tmp_path)
    route = running.match(b"GET", path) or running.unmatched
    assert other_side(running, route, b"GET", served) == other
    assert other_side(running, route, b"HEAD", served) == other


@given(st.sampled_from([b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"get", b"PROPFIND"]))
def test_no_method_but_get_and_head(method: bytes) -> None:
    running = _SHARED
    for route in running.routes:
        assert other_side(running, route, method, OLD) is None
        assert other_side(running, route, method, NEW) is None


def _shared() -> Table:
    with tempfile.TemporaryDirectory() as folder:
        return table(Path(folder))


_SHARED = _shared()


@pytest.mark.parametrize("group", ["shadow: 0", "shadow: 100, kill: true", "shadow: 100, to: legacy"])
def test_nobody_is_asked_where_nothing_is_to_be_compared(tmp_path: Path, group: str) -> None:
    running = table(tmp_path, group)
    route = running.match(b"GET", b"/safe")
    assert route is not None
    assert other_side(running, route, b"GET", OLD) is None


def test_the_kill_switch_of_the_file_ends_it(tmp_path: Path) -> None:
    running = table(tmp_path, more="kill: true")
    route = running.match(b"GET", b"/safe")
    assert route is not None
    assert other_side(running, route, b"GET", OLD) is None


def test_a_read_that_may_not_be_repeated_counts_as_a_write(tmp_path: Path) -> None:
    running = table(tmp_path)
    writes = {
        (method, path)
        for method, path in [("GET", "/safe"), ("GET", "/dry"), ("GET", "/unsafe"), ("POST", "/things")]
        if (route := running.match(method.encode(), path.encode())) and is_write(route, method.encode())
    }
    assert writes == {("GET", "/unsafe"), ("POST", "/things")}
    assert not is_write(running.unmatched, b"GET")
    assert is_write(running.unmatched, b"POST")


def test_what_keeps_a_visitor_on_the_old_side_keeps_them_from_being_compared(tmp_path: Path) -> None:
    running = table(tmp_path, more="defaults: {keep_on_legacy: {query: [token], headers: [X-Tenant]}}")
    group = running.groups[0]
    reader = SubjectReader(None, now=lambda: datetime.now(UTC))
    assert not is_kept(group, reader, b"a=1", {})
    assert is_kept(group, reader, b"a=1&token=x", {})
    assert is_kept(group, reader, b"", {b"x-tenant": b"1"})


@given(st.integers(0, 10_000), st.integers(1, 300))
def test_a_share_is_exact_to_one_request(hundredths: int, requests: int) -> None:
    sampler = Sampler()
    percent = hundredths / 100
    taken = sum(sampler.takes("a", percent) for _ in range(requests))
    assert abs(taken - requests * percent / 100) < 1
    if percent in (0, 100):
        assert taken == requests * percent / 100


def test_each_route_has_its_own_share() -> None:
    sampler = Sampler()
    taken = [(route, sampler.takes(route, 50)) for _ in range(10) for route in ("a", "b")]
    assert sum(one for route, one in taken if route == "a") == 5
    assert sum(one for route, one in taken if route == "b") == 5
