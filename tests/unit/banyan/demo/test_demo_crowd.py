# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who comes, what they ask, with which cookies, and how fast."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import islice
from random import Random

import pytest

from banyan.demo.crowd import MOVING_SHARE, Crowd, Traffic, Visitor, draw, pace, visitors
from banyan.demo.judge import Kind, Verdict
from contracts.compare import Answer
from contracts.traffic import Mix, ReadyRequest, ready
from tests.proxytest.backend import always, answer, backends
from tests.unit.banyan.demo.cases import case

SESSIONS = {"zoe": {"_loomio": "z"}, "anonymous": {}}


def request(path: str, actor: str = "anonymous", endpoint: str = "things#index") -> ReadyRequest:
    return ready(case(path, {"path": path}, actor, endpoint=endpoint), SESSIONS[actor])


def test_half_of_the_visitors_are_anonymous_and_the_others_are_everybody() -> None:
    coming = list(islice(visitors(["zoe", "yan", "anonymous"], SESSIONS, Random(1)), 4000))
    names = Counter(visitor.actor for visitor in coming)
    assert abs(names["anonymous"] - 2000) < 200
    assert abs(names["zoe"] - names["yan"]) < 200
    assert all(visitor.cookies == SESSIONS.get(visitor.actor, {}) for visitor in coming)


@pytest.mark.parametrize("actors", [["anonymous"], ["zoe"]])
def test_who_was_not_recorded_does_not_come(actors: list[str]) -> None:
    assert {visitor.actor for visitor in islice(visitors(actors, SESSIONS, Random(1)), 50)} == set(actors)


def test_a_visitor_sends_the_recorded_request_with_the_cookies_of_their_jar() -> None:
    visitor = Visitor("zoe", SESSIONS["zoe"])
    head = visitor.bytes_of(request("/a?b=%20", "zoe"), "127.0.0.1:1").split(b"\r\n")
    assert head[0] == b"GET /a?b=%20 HTTP/1.1"
    assert b"Host: 127.0.0.1:1" in head
    assert b"Accept: application/json" in head
    assert [line for line in head if line.lower().startswith(b"cookie")] == [b"Cookie: _loomio=z"]
    assert head[-2:] == [b"", b""]


def test_a_visitor_keeps_the_edges_cookie_and_no_other() -> None:
    visitor = Visitor("anonymous", {})
    assert b"Cookie" not in visitor.bytes_of(request("/a"), "x")
    set_cookies = [("Set-Cookie", "banyan_bucket=b1; Path=/"), ("set-cookie", "_loomio=new; path=/")]
    visitor.keep_cookies(Answer(200, set_cookies))
    assert b"\r\nCookie: banyan_bucket=b1\r\n" in visitor.bytes_of(request("/a"), "x")


def test_groups_that_move_are_asked_more_often() -> None:
    everything = [request(f"/{number}", endpoint=f"many#{number}") for number in range(100)]
    moving = [request("/moving", endpoint="moving#index")]
    traffic = Traffic(Mix([*everything, *moving], [])).with_moving(moving)
    random = Random(1)
    asked = Counter(draw(traffic, "anonymous", random).target for _ in range(4000))
    assert abs(asked["/moving"] / 4000 - (MOVING_SHARE + (1 - MOVING_SHARE) / 101)) < 0.03
    assert len(asked) == 101


def test_who_has_no_request_in_moving_groups_asks_what_they_have() -> None:
    traffic = Traffic(Mix([request("/a"), request("/b", "zoe")], [])).with_moving([request("/b", "zoe")])
    assert {draw(traffic, "anonymous", Random(1)).target for _ in range(50)} == {"/a"}
    assert traffic.with_moving([]).moving is None


def test_pauses_are_divided_so_that_all_together_make_the_rate() -> None:
    speed = pace([0.0, 1.0, 2.0], rate=100, seats=20)
    assert speed == 5.0  # a second on average; twenty seats, each five times a second
    assert pace([], 100, 20) == 0.0
    assert pace([0.0], 100, 20) == 0.0


async def test_the_crowd_asks_counts_and_leaves() -> None:
    verdicts: list[Verdict] = []
    mix = Mix([request("/a")], [])
    async with backends("edge") as (edge,):
        body = b'{"path":"/a"}'
        edge.script = always(answer(body, headers=b"Content-Type: application/json; charset=utf-8\r\n"))

        def count(_request: ReadyRequest, verdict: Verdict, _seconds: float | None) -> None:
            verdicts.append(verdict)
            if len(verdicts) >= 20:
                crowd.leave()

        arriving = visitors(mix.actors, SESSIONS, Random(1))
        crowd = Crowd(
            lambda: Traffic(mix), arriving, ("127.0.0.1", edge.port), count, Random(1), rate=2000, seats=4
        )
        async with asyncio.timeout(10):
            await crowd.run()
        assert len(edge.asked) == len(verdicts)
    assert {verdict.kind for verdict in verdicts} == {Kind.SAME}


async def test_a_connection_that_fails_counts_against_the_edge() -> None:
    verdicts: list[tuple[Verdict, float | None]] = []
    mix = Mix([request("/a")], [])
    async with backends("edge") as (edge,):
        await edge.stop()

        def count(_request: ReadyRequest, verdict: Verdict, seconds: float | None) -> None:
            verdicts.append((verdict, seconds))
            crowd.leave()

        arriving = visitors(mix.actors, SESSIONS, Random(1))
        crowd = Crowd(
            lambda: Traffic(mix), arriving, ("127.0.0.1", edge.port), count, Random(1), rate=2000, seats=1
        )
        async with asyncio.timeout(10):
            await crowd.run()
    assert [(verdict.kind, seconds) for verdict, seconds in verdicts] == [(Kind.EDGE_ERROR, None)]
