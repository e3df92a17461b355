# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where bodies end."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dataplane.framing import END_OF_CHUNKS, BodyReader, ChunkedReader, LengthReader, chunk
from proxy.model import Malformed


def feed_all(reader: BodyReader, pieces: list[bytes]) -> tuple[bytes, bytes | None]:
    """The whole payload, and what followed the body."""
    payload = b""
    for at, piece in enumerate(pieces):
        got, rest = reader.feed(piece)
        payload += got
        if rest is not None:
            return payload, rest + b"".join(pieces[at + 1 :])
    return payload, None


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(bounds)]


places = st.lists(st.integers(0, 10_000), max_size=8)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.binary(max_size=20), places)
def test_chunks_are_read_the_same_however_they_are_cut(
    parts: list[bytes], rest: bytes, where: list[int]
) -> None:
    data = b"".join(chunk(part) for part in parts) + END_OF_CHUNKS + rest
    assert feed_all(ChunkedReader(), cut(data, where)) == (b"".join(parts), rest)


@given(st.binary(max_size=100), st.binary(max_size=20), places)
def test_a_length_is_kept_to(body: bytes, rest: bytes, where: list[int]) -> None:
    payload, after = feed_all(LengthReader(len(body)), cut(body + rest, where))
    assert (payload, after) == (body, rest)


def test_extensions_and_trailers_are_dropped() -> None:
    data = b'3;a=b;c="d e"\r\nabc\r\n' + b"0;x\r\nTrailer: yes\r\nOther: no\r\n\r\nnext"
    assert ChunkedReader().feed(data) == (b"abc", b"next")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"g\r\n", "chunk-size"),
        (b"\r\n", "chunk-size"),
        (b"-1\r\n", "chunk-size"),
        (b"0x3\r\nabc\r\n", "chunk-size"),
        (b" 3\r\nabc\r\n", "chunk-size"),
        (b"3 \r\nabc\r\n", "chunk-size"),
        (b"3;\x01\r\nabc\r\n", "chunk-size"),
        (b"3;a=\r\nabc\r\n", "chunk-size"),
        (b"1000000000000000\r\n", "chunk-size"),
        (b"3\nabc\r\n", "chunk-size"),
        (b"3\nabc", "chunk-line"),
        (b"3\r\nabcd\r\n", "chunk-end"),
        (b"3\r\nabc\n", "chunk-end"),
        (b"3\r\nabcX", "chunk-end"),
        (b"3;" + b"a" * 300, "chunk-line"),
        (b"0\r\n bad: x\r\n", "trailers"),
        (b"0\r\nno colon\r\n", "trailers"),
        (b"0\r\n" + b"a: b\r\n" * 3000, "trailers"),
    ],
)
def test_malformed_chunks_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(Malformed) as refused:
        ChunkedReader().feed(data)
    assert refused.value.code == code


@given(st.binary(max_size=200), places)
def test_any_bytes_are_chunks_or_refused(data: bytes, where: list[int]) -> None:
    try:
        payload, _ = feed_all(ChunkedReader(), cut(data, where))
    except Malformed:
        return
    assert len(payload) <= len(data)
