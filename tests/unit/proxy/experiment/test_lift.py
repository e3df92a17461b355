# SPDX-License-Identifier: AGPL-3.0-or-later
"""What workers write is what the comparing process reads, however it is cut into pieces."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.experiment.lift import Dropped, Frames, Lifted, Message, WriteBegan, WriteEnded, frame_head

MESSAGES: list[tuple[Message, bytes]] = [
    (
        Lifted(1, 2, 0, 1, b"id", 1.5, 2.5, 3.5, b"GET / HTTP/1.1\r\n\r\n", 200, b"A: b\r\n", "", True, 0.0),
        b"body",
    ),
    (WriteBegan(1, 1, 3, 2.0, b"/x", b"a=b"), b""),
    (Lifted(1, 2, 0, 1, b"id", 1.5, 2.5, 3.5, b"", 0, b"", "backend_reset", False, 9.0), b""),
    (WriteEnded(1, 2.5), b""),
    (Dropped(1, 2, "overflow", 77), b""),
]


@given(st.lists(st.integers(1, 200), max_size=20))
def test_pieces_make_no_difference(cuts: list[int]) -> None:
    data = b"".join(frame_head(message, len(body)) + body for message, body in MESSAGES)
    frames = Frames()
    got = []
    at = 0
    for cut in [*cuts, len(data)]:
        got += list(frames.feed(data[at : at + cut]))
        at += cut
    assert got == MESSAGES
    assert frames.held == 0


@pytest.mark.parametrize("data", [b"\xff" * 100, b"\0\0\0\x02\0\0\0\0ab"])
def test_nonsense_is_said_to_be(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        list(Frames().feed(data))
