# SPDX-License-Identifier: AGPL-3.0-or-later
"""The requests are what they claim to be."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pytest

from loadtests.bench import workload
from proxy.config.load import load
from proxy.routing.compile import compile_table
from proxy.routing.subject import SubjectReader


def _cookies(requests: list[bytes]) -> list[bytes]:
    return [found[1] for one in requests if (found := re.search(rb"\r\nCookie: (.*?)\r\n", one))]


@pytest.fixture(scope="module")
def requests() -> list[bytes]:
    return workload.requests("2k")


@pytest.mark.parametrize(("size", "length"), workload.SIZES.items())
def test_bodies_are_json_of_their_size(size: str, length: int) -> None:
    body = workload.body(size)
    assert len(body) == length
    assert json.loads(body)["discussions"]
    assert body == workload.body(size)


def test_heads_have_11_headers_and_ask_for_a_size(requests: list[bytes]) -> None:
    for one in requests[:500]:
        head, end, rest = one.partition(b"\r\n\r\n")
        line, *headers = head.split(b"\r\n")
        assert (end, rest, len(headers)) == (b"\r\n\r\n", b"", 11)
        assert re.fullmatch(rb"GET /\S*[?&]size=2k HTTP/1\.1", line)


def test_the_edge_reads_each_cookie_as_another_person(requests: list[bytes]) -> None:
    reader = SubjectReader(workload.SECRET, now=lambda: datetime.now(UTC), remembered_sessions=10)
    users = {reader.session(cookies).user for cookies in _cookies(requests[:200])}
    assert len(users) == 200
    assert None not in users
    assert reader.undecryptable == 0


def test_more_cookies_differ_than_an_edge_remembers(requests: list[bytes]) -> None:
    assert len(set(_cookies(requests))) > 10_000


def test_a_cookie_may_serve_several_requests_in_a_row() -> None:
    runs = [len(list(run)) for _, run in groupby(_cookies(workload.requests("2k", uses=3)[:300]))]
    assert runs == [3] * 100


def test_most_recorded_paths_find_a_route_that_is_at_half(tmp_path: Path, requests: list[bytes]) -> None:
    environment = {"LEGACY_URL": "http://127.0.0.1:1", "PYTHON_URL": "http://127.0.0.1:2"}
    loaded = load(workload.write_routing(tmp_path), environment)
    assert loaded.config is not None, loaded.errors
    table = compile_table(loaded.config, 1)
    assert len(table.routes) > 400
    paths = [one.split(b" ", 2)[1].partition(b"?")[0] for one in requests[:1000]]
    routes = [table.match(b"GET", path) for path in paths]
    halves = sum(
        route is not None and route.group is not None and route.group.percent == 50 for route in routes
    )
    assert halves > 900


def test_answers_have_17_headers_and_change() -> None:
    first, second = (
        workload.head_of_answer(2000, "application/json", number, "A" * 452) for number in (1, 2)
    )
    assert first.count(b"\r\n") - 2 == 17
    assert first != second
    assert len(first) == len(second)
