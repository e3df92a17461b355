# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers are kept within two bounds: one of an answer, one of a worker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.dataplane.capture import Capture, Room


def test_keeps_pieces_as_they_came() -> None:
    room = Room(10)
    capture = Capture(10, room)
    first = b"abc"
    capture.add(first)
    capture.add(b"defg")
    assert capture.pieces == [b"abc", b"defg"]
    assert capture.pieces[0] is first
    assert (capture.size, room.free, capture.complete) == (7, 3, True)


def test_lets_go_of_an_answer_that_is_too_large() -> None:
    room = Room(100)
    capture = Capture(5, room)
    for piece in (b"abc", b"def", b"g"):
        capture.add(piece)
    assert not capture.complete
    assert capture.pieces == []
    assert room.free == 100


def test_lets_go_where_the_worker_keeps_too_much_already() -> None:
    room = Room(5)
    one, other = Capture(5, room), Capture(5, room)
    one.add(b"abc")
    other.add(b"abc")
    assert one.complete
    assert not other.complete
    assert room.free == 2


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=40)), max_size=60), st.integers(0, 200))
def test_the_room_is_never_overdrawn_and_given_back_whole(steps: list[tuple[int, bytes]], size: int) -> None:
    room = Room(size)
    captures = [Capture(64, room) for _ in range(4)]
    for which, piece in steps:
        captures[which].add(piece)
        assert room.free >= 0
        assert room.free == size - sum(len(one) for each in captures for one in each.pieces)
    for each in captures:
        each.release()
    assert room.free == size
