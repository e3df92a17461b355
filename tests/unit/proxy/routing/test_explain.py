# SPDX-License-Identifier: AGPL-3.0-or-later
"""Explanations are the decisions themselves, for whoever is named."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import Reason, bucket_of
from proxy.routing.explain import NEW_VISITOR, WHY, Explanation, Question, explain
from tests.unit.proxy.routing.tables import ask, reader, session_cookie, table_of

TABLE = table_of(
    """\
defaults: {keep_on_legacy: {query: [stay], headers: [X-Stay]}}
groups: {g: {percent: 50, routes: ["GET /x/:id"]}, none: {percent: 0, routes: [POST /x]}}
""",
    3,
)
UP = (True, True, True)


def answer(**question: object) -> Explanation:
    return explain(TABLE, msgspec.convert(question, Question), reader(), UP)


def test_an_answer_has_the_words_that_scripts_rely_on() -> None:
    found = msgspec.to_builtins(answer(path="/x/1", user=42))
    assert found == {
        "route": "GET /x/:id",
        "matched": "GET /x/:id",
        "group": "g",
        "generation": 3,
        "bucket": 1308,
        "percent": 50,
        "side": "python",
        "reason": "share",
        "subject": "user",
    }


@given(st.integers(1, 10**9))
def test_it_says_what_would_be_decided(user: int) -> None:
    found, decided = answer(path="/x/1", user=user), ask(TABLE, "/x/1", cookies=session_cookie(user))
    assert (found.side, found.bucket, found.reason) == (decided.side, decided.bucket, decided.reason)


def test_whoever_is_named_is_the_subject() -> None:
    own = "0" * 32
    expected = bucket_of(b"s1", b"cookie:" + own.encode())
    assert (
        answer(path="/x/1", cookie=own).bucket
        == answer(path="/x/1", cookie=f"banyan_bucket={own}").bucket
        == expected
    )
    assert answer(path="/x/1", cookie=session_cookie(42)).bucket == answer(path="/x/1", user="42").bucket
    assert answer(path="/x/1", api_key="a b&c").bucket == ask(TABLE, "/x/1?api_key=a%20b%26c").bucket


def test_the_bucket_is_told_even_where_it_did_not_matter() -> None:
    assert answer(path="/nowhere", user=42).bucket == 1308
    assert answer(path="/x", method="post", user=42, headers={"Content-Type": "text/plain"}).bucket == 1308


def test_nobody_in_particular_is_a_new_visitor() -> None:
    found = answer(path="/x/1")
    assert found.subject == NEW_VISITOR
    assert found.bucket is not None
    assert answer(path="/nowhere").bucket is None


def test_query_headers_and_method_count() -> None:
    assert answer(path="/x/1?stay=1").reason is Reason.KEEP_QUERY
    assert answer(path="/x/1", headers={"X-Stay": "1"}).reason is Reason.KEEP_HEADER
    assert answer(path="/x/1", method="DELETE").reason is Reason.UNMATCHED


@pytest.mark.parametrize("path", ["/x/é", "/x/a b", "/x/\U0001f600", "/x/%C3%A9"])
def test_paths_may_be_written_as_people_write_them(path: str) -> None:
    assert answer(path=path, user=1).group == "g"


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_question_is_answered(path: str, cookie: str, headers: dict[str, str]) -> None:
    answer(path=path, cookie=cookie, headers=headers, api_key=cookie)


def test_typing_errors_in_questions_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        answer(path="/x/1", usr=1)


def test_every_reason_has_its_sentence() -> None:
    assert set(WHY) == set(Reason)
