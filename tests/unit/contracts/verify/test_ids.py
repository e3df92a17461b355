# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ids of new rows, told in the recording's own."""

from __future__ import annotations

from contracts.verify.ids import Ids, table_of
from contracts.verify.lessons import Lessons
from contracts.verify.pairing import pair

IDS = Ids({"comments": {700: 214}, "events": {700: 900, 701: 901}})


def test_where_an_id_stands_tells_its_table() -> None:
    assert IDS.translated({"id": 700, "comment_id": 700}, "events") == {"id": 900, "comment_id": 214}
    assert IDS.translated({"eventable_type": "Comment", "eventable_id": 700}) == {
        "eventable_type": "Comment",
        "eventable_id": 214,
    }
    assert IDS.translated({"events": [{"id": 701, "parent_id": 700}], "comments": [{"id": 700}]}) == {
        # Two tables know the id and disagree: it stays.
        "events": [{"id": 901, "parent_id": 700}],
        "comments": [{"id": 214}],
    }
    assert IDS.translated("/d/abc/comment/700?comment_id=700") == "/d/abc/comment/214?comment_id=214"
    assert IDS.translated({"size": 700, "title": "700"}) == {"size": 700, "title": "700"}
    assert IDS.shifted
    assert table_of("MembershipRequest") == "membership_requests"


def test_those_that_are_nearest_are_paired() -> None:
    found = pair("abc", "cxb", lambda place, other: int("abc"[place] != "cxb"[other]))
    assert sorted(found.pairs) == [(0, 1), (1, 2), (2, 0)]
    assert not found.in_order
    short = pair("abc", "ac", lambda place, other: int("abc"[place] != "ac"[other]))
    assert (short.pairs, short.missing, short.extra) == ([(0, 0), (2, 1)], [1], [])


def test_a_runs_own_secrets_are_learned_and_told() -> None:
    lessons = Lessons()
    lessons.learn(
        {"code": 225366, "url": "http://x/a/Aaaa1111--deadbeef99/f.txt"},
        {"code": 111222, "url": "http://x/a/Bbbb2222--cafe00cafe/f.txt"},
    )
    lessons.learn_alike(["http://x/join/Qqqq7777tok"], ["http://x/other", "http://x/join/Wwww8888tok"])
    assert lessons.told(225366) == 111222
    assert lessons.told("/a/Aaaa1111--deadbeef99/f.txt") == "/a/Bbbb2222--cafe00cafe/f.txt"
    assert lessons.told("/join/Qqqq7777tok") == "/join/Wwww8888tok"
    assert lessons.told("/join/never-seen") is None
