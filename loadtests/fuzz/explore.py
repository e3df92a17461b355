# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hypothesis as the source of broken pipelines: it tries what mutations do not, and makes a failure small itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from loadtests.fuzz.cases import Case
from loadtests.fuzz.judge import Found

Attempt = Callable[[Case, float], Coroutine[Any, Any, Found | None]]

_METHODS: Final = st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT"])
_TARGETS: Final = st.one_of(
    st.sampled_from([b"/new/a", b"//new//b?c", b"http://a.test/new/d", b"*", b"/old"]),
    st.binary(max_size=12).map(lambda tail: b"/new/" + tail),
)
_VERSIONS: Final = st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"])
_NAMES: Final = st.sampled_from(
    [
        b"Host",
        b"Content-Length",
        b"Transfer-Encoding",
        b"Connection",
        b"Upgrade",
        b"Expect",
        b"Cookie",
        b"X-Mark",
        b"X-A",
    ]
)
_VALUES: Final = st.one_of(
    st.sampled_from(
        [b"0", b"5", b"05", b"chunked", b"identity", b"close", b"keep-alive", b"a", b"100-continue"]
    ),
    st.binary(max_size=8),
)
_COLONS: Final = st.sampled_from([b": ", b": ", b": ", b":", b" : ", b":\t"])
_BREAKS: Final = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n "])
_BODIES: Final = st.one_of(
    st.just(b""),
    st.sampled_from(
        [b"abcde", b"5\r\nabcde\r\n0\r\n\r\n", b"5;a=b\r\nabcde\r\n0\r\nX: y\r\n\r\n", b"0\r\n\r\n"]
    ),
    st.binary(max_size=20),
)


@st.composite
def _pipelines(draw: st.DrawFn) -> tuple[bytes, ...]:
    pieces = []
    for _ in range(draw(st.integers(1, 3))):
        lines = [b" ".join([draw(_METHODS), draw(_TARGETS), draw(_VERSIONS)])]
        if draw(st.integers(0, 9)):
            lines.append(b"Host: a.test")
        lines += [draw(_NAMES) + draw(_COLONS) + draw(_VALUES) for _ in range(draw(st.integers(0, 4)))]
        pieces.append(b"".join(line + draw(_BREAKS) for line in lines) + b"\r\n" + draw(_BODIES))
    return tuple(pieces)


class CaseError(Exception):
    """A case that failed, as small as hypothesis could make it."""

    def __init__(self, found: Found) -> None:
        super().__init__(f"{found.failure.kind}: {found.failure.detail}\nsent {found.case.sent!r}")
        self.found = found


async def explore(attempt: Attempt, examples: int, chance: int) -> Found | None:
    """Let hypothesis try so many pipelines; the smallest that failed. Hypothesis works in a thread of its own."""
    loop = asyncio.get_running_loop()

    @seed(chance)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(_pipelines())
    def try_one(pieces: tuple[bytes, ...]) -> None:
        going = asyncio.run_coroutine_threadsafe(attempt(Case(0, "asked", (), pieces), 5.0), loop)
        found = going.result()
        if found is not None:
            raise CaseError(found)

    try:
        await asyncio.to_thread(try_one)
    except CaseError as failed:
        return failed.found
    return None
