# SPDX-License-Identifier: AGPL-3.0-or-later
"""The verdict on an answer."""

from __future__ import annotations

import pytest

from banyan.demo.judge import SAME, Kind, edge_error, judge
from contracts.compare import Answer
from proxy.dataplane.compose import own_answer
from tests.unit.banyan.demo.cases import case

JSON = ("Content-Type", "application/json; charset=utf-8")
CASE = case("/things", {"things": [1, 2]})


def test_what_says_the_same_is_right() -> None:
    assert judge(CASE, Answer(200, [JSON], b'{ "things": [1, 2] }')) == SAME


def test_the_cookie_of_the_edge_is_not_the_applications() -> None:
    cookie = ("Set-Cookie", "banyan_bucket=abc; Path=/; HttpOnly")
    assert judge(CASE, Answer(200, [JSON, cookie], b'{"things":[1,2]}')) == SAME
    other = ("Set-Cookie", "colour=red; path=/")
    assert judge(CASE, Answer(200, [JSON, other], b'{"things":[1,2]}')).kind is Kind.DIFFERS


def test_a_difference_is_told_by_its_place() -> None:
    verdict = judge(CASE, Answer(200, [JSON], b'{"things":[1,3],"more":1}'))
    assert verdict.kind is Kind.DIFFERS
    assert "/response/body/more" in verdict.detail
    assert "(and 1 more)" in verdict.detail


@pytest.mark.parametrize("status", [400, 502, 503, 504])
def test_an_answer_that_the_edge_made_is_an_error_of_its_own(status: int) -> None:
    raw = own_answer(status, "upstream-refused", "nobody there", b"r1")
    answer = Answer(status, [JSON], raw.partition(b"\r\n\r\n")[2])
    assert judge(CASE, answer).kind is Kind.EDGE_ERROR
    assert edge_error(answer) == f"{status} upstream-refused: nobody there"


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, b'{"error":"not yours"}'), (500, b"<html>"), (404, b""), (400, b"{broken"), (422, b'["error"]')],
)
def test_an_error_of_the_application_is_not_the_edges(status: int, body: bytes) -> None:
    assert edge_error(Answer(status, [JSON], body)) is None
