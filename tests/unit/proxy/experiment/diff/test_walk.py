# SPDX-License-Identifier: AGPL-3.0-or-later
"""The facts of two values: nothing where they are equal, the one place where one was changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proxy.experiment.diff import escaped, field_of, place_of, pointer_of, tokens, walk
from proxy.experiment.diff.json import JsonError, read_json
from proxy.experiment.outcome import Kind

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=25,
)


class Changed:
    """Equal to nothing that JSON can say."""


def every_place(value: Any, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield here
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in members:
        yield from every_place(inner, (*here, key))


@given(VALUES)
def test_a_value_differs_from_itself_nowhere(value: Any) -> None:
    assert walk(value, copy.deepcopy(value)) == []


@given(VALUES)
def test_how_it_is_written_means_nothing(value: Any) -> None:
    one = json.dumps(value, ensure_ascii=True, sort_keys=True).encode()
    other = json.dumps(value, ensure_ascii=False, indent=1).encode()
    assert walk(read_json(one), read_json(other)) == []


@given(st.dictionaries(st.text(max_size=4), VALUES, min_size=1), st.data())
def test_a_changed_value_is_found_at_exactly_its_pointer(value: dict[str, Any], data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(list(every_place(value))[1:]))
    other = copy.deepcopy(value)
    holder: Any = other
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = Changed()
    (fact,) = walk(value, other)
    # An id that is no id any more: its list is a sequence then, and the place is the same.
    assert (fact.pointer, fact.kind) == (pointer_of(place_of(*place)), Kind.TYPE)


@given(st.dictionaries(st.text(max_size=4), VALUES, min_size=1), st.data())
def test_a_lost_member_is_missing_and_the_other_way_round_extra(
    value: dict[str, Any], data: st.DataObject
) -> None:
    objects = [place for place in every_place(value) if place and isinstance(place[-1], str)]
    place = data.draw(st.sampled_from(objects))
    other = copy.deepcopy(value)
    holder: Any = other
    for step in place[:-1]:
        holder = holder[step]
    del holder[place[-1]]
    pointer = pointer_of(place_of(*place))
    assert [(fact.pointer, fact.kind) for fact in walk(value, other)] == [(pointer, Kind.MISSING)]
    assert [(fact.pointer, fact.kind) for fact in walk(other, value)] == [(pointer, Kind.EXTRA)]


@given(st.lists(st.integers(), min_size=1, max_size=9), st.data())
def test_one_lost_element_is_one_fact(elements: list[int], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(elements) - 1))
    shorter = elements[:index] + elements[index + 1 :]
    (fact,) = walk(elements, shorter)
    assert fact.kind is Kind.MISSING
    assert fact.control == elements[index]
    (fact,) = walk(shorter, elements)
    assert (fact.pointer, fact.kind, fact.candidate) == ("/-", Kind.EXTRA, elements[index])


@given(st.lists(VALUES, min_size=2, max_size=6), st.randoms())
def test_another_order_is_told_once(elements: list[Any], random: Any) -> None:
    shuffled = elements[:]
    random.shuffle(shuffled)
    assume(walk(elements, shuffled) != [])
    kinds = {fact.kind for fact in walk(elements, shuffled)}
    assert kinds == {Kind.ORDER} or any(isinstance(one, dict | list | float) for one in elements)


RECORDS = [{"id": 1, "a": "x"}, {"id": 2, "a": "y"}, {"id": 3, "a": "z"}]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (RECORDS[::-1], [("", Kind.ORDER)]),
        (RECORDS[:2], [("/2", Kind.MISSING)]),
        ([*RECORDS, {"id": 9}], [("/-", Kind.EXTRA)]),
        ([RECORDS[0], {"id": 7, "a": "y"}, RECORDS[2]], [("/1/id", Kind.VALUE)]),
        ([RECORDS[0], {"id": "2", "a": "y"}, RECORDS[2]], [("/1/id", Kind.TYPE)]),
        ([RECORDS[0], {"id": 7, "a": "other"}, RECORDS[2]], [("/-", Kind.EXTRA), ("/1", Kind.MISSING)]),
        ([*RECORDS, RECORDS[0]], [("/-", Kind.EXTRA)]),
        ([RECORDS[0], {"a": "y"}, RECORDS[2]], [("/1/id", Kind.MISSING)]),
        ([], [("/0", Kind.MISSING), ("/1", Kind.MISSING), ("/2", Kind.MISSING)]),
    ],
)
def test_records_are_matched_by_id(other: Any, expected: list[tuple[str, Kind]]) -> None:
    assert sorted((fact.pointer, fact.kind) for fact in walk(RECORDS, other)) == expected


@pytest.mark.parametrize(
    ("one", "other", "kinds"),
    [
        (b"1", b"1.0", []),
        (b"100", b"1e2", []),
        (b"1", b"true", [Kind.TYPE]),
        (b"0", b"false", [Kind.TYPE]),
        (b"[0]", b"[false]", [Kind.TYPE]),
        (b"null", b"0", [Kind.TYPE]),
        (b'""', b"null", [Kind.TYPE]),
        (b"0.1", b"0.10000000000000001", [Kind.VALUE]),
        (b"9007199254740993", b"9007199254740992.0", [Kind.VALUE]),
        (b"1e400", b"1e401", [Kind.VALUE]),
        (b"1" * 5_000, b"1" * 4_999 + b"2", [Kind.VALUE]),
        (b"1" * 5_000, b"1" * 5_000 + b".0", []),
        (b'"\\u00e9\\/"', '"é/"'.encode(), []),
        (b'{"a":1,"a":2}', b'{"a":2}', []),
        (b"[1,2.0]", b"[1.0,2]", []),
        (b"[[1.0],[1]]", b"[[1],[10e-1]]", []),
        (b"[1.50]", b"[15e-1]", []),
        (b"[1e29]", b"[100000000000000000000000000000]", []),
    ],
)
def test_numbers_and_texts_by_meaning(one: bytes, other: bytes, kinds: list[Kind]) -> None:
    assert [fact.kind for fact in walk(read_json(one), read_json(other))] == kinds


@pytest.mark.parametrize(
    "text",
    [
        b"", b"NaN", b"[Infinity]", b"[1,]", b"{,}", b'{"a"}', b'{"a":}', b"[1 2]", b"nul", b"01", b"1.", b"'a'",
        b'"\xff"', b'"a\nb"', b"1e99999999999999999999", b"[]]", b"{}x", b'{"a":1,}', b'{1:2}', b"[}", b"]",
    ],
)  # fmt: skip
def test_what_is_no_json_is_told(text: bytes) -> None:
    deep = b"[" * 2_000 + text + b"]" * 2_000
    with pytest.raises(JsonError):
        read_json(text)
    if text:
        with pytest.raises(JsonError):
            read_json(deep)


@given(VALUES)
def test_what_nests_too_deeply_for_others_is_read_all_the_same(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1).encode()
    inner = read_json(b'{"a": [' * 600 + text + b" ] }" * 600)
    for _ in range(600):
        inner = inner["a"][0]
    assert walk(read_json(text), inner) == []


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_of_ten_thousand(opening: bytes, closing: bytes) -> None:
    one, equal, other = (
        read_json(opening * 10_000 + leaf + closing * 10_000) for leaf in (b"1", b"1.0", b"2")
    )
    assert walk(one, equal) == []
    (fact,) = walk(one, other)
    assert (fact.kind, fact.control, fact.pointer.count("/")) == (Kind.VALUE, 1, 10_000)


def test_ten_megabytes() -> None:
    text = json.dumps([{"id": number, "text": "x" * 100, "n": [1, 2, 3]} for number in range(75_000)])
    assert len(text) > 10_000_000
    one, other = read_json(text.encode()), read_json(text.encode())
    assert walk(one, other) == []
    other[69_000]["n"][1] = 5
    assert [fact.pointer for fact in walk(one, other)] == ["/69000/n/1"]


@given(st.text())
def test_reference_tokens_come_back(token: str) -> None:
    assert tokens(f"/a/{escaped(token)}") == ["a", token]


@pytest.mark.parametrize(
    ("place", "pointer", "field"),
    [
        (("body", "polls", 3, "title"), "/body/polls/3/title", "/body/polls/*/title"),
        (("body", "scores", "17"), "/body/scores/17", "/body/scores/*"),
        (("body", "polls", -1), "/body/polls/-", "/body/polls/*"),
        (("body", "people", "zoe@example.org"), "/body/people/zoe@example.org", "/body/people/*"),
        (("body", "a/b~c"), "/body/a~1b~0c", "/body/a~1b~0c"),
        (("body", ""), "/body/", "/body/*"),
    ],
)
def test_pointer_and_field(place: tuple[str | int, ...], pointer: str, field: str) -> None:
    assert (pointer_of(place_of(*place)), field_of(place_of(*place))) == (pointer, field)
