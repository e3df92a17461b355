# SPDX-License-Identifier: AGPL-3.0-or-later
"""Compressed bodies are inflated within a bound, or said not to be."""

from __future__ import annotations

import contextlib
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.experiment.inflate import EncodingError, inflate


def _raw(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


@given(st.binary(max_size=5000))
def test_gives_back_what_was_compressed(data: bytes) -> None:
    assert inflate(gzip.compress(data), "gzip", 5000) == data
    assert inflate(gzip.compress(data[:9]) + gzip.compress(data[9:]), "GZip", 5000) == data
    assert inflate(zlib.compress(data), "deflate", 5000) == data
    assert inflate(_raw(data), "deflate", 5000) == data
    assert inflate(gzip.compress(zlib.compress(data)), "deflate, gzip", 9000) == data
    assert inflate(data, "identity", 5000) == data


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b"x" * 1001), "gzip"),  # too large
        (gzip.compress(b"\0" * 100_000_000), "gzip"),  # a bomb
        (gzip.compress(b"abc")[:-4], "gzip"),
        (b"no gzip at all", "gzip"),
        (gzip.compress(b"abc") + b"and more", "gzip"),
        (b"abc", "br"),
    ],
    ids=["too large", "a bomb", "early end", "no gzip", "more behind", "unknown"],
)
def test_says_what_cannot_be(body: bytes, encoding: str) -> None:
    with pytest.raises(EncodingError):
        inflate(body, encoding, 1000)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "gzip, gzip"]))
def test_nothing_else_is_raised(body: bytes, encoding: str) -> None:
    with contextlib.suppress(EncodingError):
        assert len(inflate(body, encoding, 1000)) <= 1000
