# SPDX-License-Identifier: AGPL-3.0-or-later
"""The comparison of proxies: what counts as standing apart, and what needs a reason."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace

import pytest

from loadtests.differential.__main__ import REASONS, differential
from loadtests.differential.origin import Origin, Seen
from loadtests.differential.outcome import Difference, Outcome, compare, statuses_in
from loadtests.differential.probes import SECOND, Probe, make_probes
from loadtests.differential.report import Reason, as_json, differences, read_reasons, render, unexplained

FIRST = Seen("GET", "/first", "a", "none", b"")
NEXT = Seen("GET", "/second", "second.test", "none", b"")
PASSED = Outcome((200, 200), (FIRST, NEXT), True)
REFUSED = Outcome((400,), (), True)
ONLY_SECOND = Outcome((200,), (NEXT,), True)
STRANGE = replace(PASSED, seen=(FIRST, Seen("abcdGET", "/second", "second.test", "none", b"")))
OTHERWISE = replace(PASSED, seen=(replace(FIRST, target="/other"), NEXT))


@pytest.mark.parametrize(
    ("edge", "nginx", "haproxy", "expected"),
    [
        (PASSED, PASSED, PASSED, None),
        (PASSED, REFUSED, PASSED, None),
        (PASSED, REFUSED, REFUSED, Difference.LETS_THROUGH),
        (PASSED, ONLY_SECOND, REFUSED, Difference.LETS_THROUGH),
        (REFUSED, PASSED, PASSED, Difference.STRICTER),
        (REFUSED, PASSED, REFUSED, None),
        (REFUSED, REFUSED, REFUSED, None),
        (OTHERWISE, PASSED, PASSED, Difference.SEES_OTHERWISE),
        (OTHERWISE, PASSED, OTHERWISE, None),
        (OTHERWISE, PASSED, REFUSED, None),
        (replace(PASSED, seen=(FIRST, FIRST, NEXT)), PASSED, PASSED, Difference.SEES_OTHERWISE),
        (STRANGE, replace(PASSED, seen=(FIRST,)), STRANGE, None),
    ],
)
def test_the_edge_stands_apart_only_from_all_others(
    edge: Outcome, nginx: Outcome, haproxy: Outcome, expected: Difference | None
) -> None:
    assert compare({"edge": edge, "nginx": nginx, "haproxy": haproxy}) is expected


def test_verdicts() -> None:
    assert [one.verdict for one in (PASSED, REFUSED)] == ["passed", "refused"]
    assert Outcome((), (), True).verdict == "closed"
    assert Outcome((), (), False).verdict == "waits"
    assert Outcome((200,), (), True).verdict == "answered"


def test_statuses_are_found_in_what_came_back() -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nokHTTP/1.0 400 Bad\r\n\r\nHTTP/1.1 x"
    assert statuses_in(data) == (200, 400)


def test_what_has_no_reason_on_record_is_named() -> None:
    results = [
        (Probe("place: one", b"1"), {"edge": PASSED, "nginx": REFUSED}),
        (Probe("place: one", b"2"), {"edge": PASSED, "nginx": REFUSED}),
        (Probe("place: [two]", b"3"), {"edge": OTHERWISE, "nginx": PASSED}),
        (Probe("other: three", b"4"), {"edge": REFUSED, "nginx": PASSED}),
        (Probe("other: four", b"5"), {"edge": PASSED, "nginx": PASSED}),
    ]
    reasons = [Reason(Difference.SEES_OTHERWISE, "place: [*", "because")]
    apart = differences(results, reasons)
    assert [(one.kind, one.count, one.reason) for one in apart] == [
        ("place: one", 2, None),
        ("place: [two]", 1, "because"),
        ("other: three", 1, None),
    ]
    assert [one.kind for one in unexplained(apart)] == ["place: one"]
    text = render(results, apart, ["edge", "nginx"])
    assert "NO REASON ON RECORD" in text
    assert "because" in text
    told = as_json(results, apart, ["edge", "nginx"], 1)
    assert (told["passed"], told["unexplained"]) == ({"edge": 4, "nginx": 3}, 1)


def test_reasons_on_record_can_be_read_and_say_something() -> None:
    reasons = read_reasons(REASONS)
    assert {reason.difference for reason in reasons} >= {Difference.LETS_THROUGH, Difference.STRICTER}
    assert all(len(reason.why) > 20 for reason in reasons)


def test_probes_come_again_from_their_seed_and_are_of_many_kinds() -> None:
    probes = make_probes(3000, 1)
    assert probes == make_probes(3000, 1)
    assert probes != make_probes(3000, 2)
    assert len(probes) == 3000
    assert len({probe.kind for probe in probes}) > 300
    assert all(probe.sent.endswith(SECOND) for probe in probes)
    assert sum(probe.group == "ordinary" for probe in probes) > 400


async def test_the_origin_writes_down_what_it_is_sent() -> None:
    async with Origin() as origin:
        reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
        writer.write(
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        writer.write(
            b"HEAD /b HTTP/1.1\r\nHost: y\r\nContent-Length: 2\r\n\r\nde" + b"GET /part HTTP/1.1\r\n"
        )
        writer.write_eof()
        received = await reader.read()
        writer.close()
    assert statuses_in(received) == (200, 200)
    assert origin.seen == [
        Seen("POST", "/a", "x", "transfer-encoding ['chunked']", b"abc"),
        Seen("HEAD", "/b", "y", "content-length", b"de"),
    ]


async def test_without_another_proxy_there_is_nothing_to_compare(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("loadtests.differential.__main__.is_there", lambda name: name == "edge")
    assert await differential(argparse.Namespace()) == 2
    said = capsys.readouterr()
    assert "nginx is not installed and left out" in said.out
    assert "nothing to compare" in said.err
