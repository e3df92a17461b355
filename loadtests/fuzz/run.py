# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rounds of cases over many connections; a look at what is left after each; a failing case made small."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from loadtests.fuzz.cases import Asked, Case, make_case
from loadtests.fuzz.client import PATIENCE, run_case
from loadtests.fuzz.explore import explore
from loadtests.fuzz.judge import Failure, Found, judge
from loadtests.fuzz.origin import Journal
from loadtests.fuzz.subject import Subject

Parts = TypeVar("Parts", bytes, tuple[Asked, ...])

_ROUND: Final = 5_000  # cases
_SETTLE_SECONDS: Final = 15.0
_SPARE_DESCRIPTORS: Final = 8
_MORE_TRIES: Final = 400
BROKEN_PART: Final = 2
"""Of an `answered` case every request whose mark's last digit is no multiple of this has a broken answer."""


@dataclass(slots=True)
class Report:
    """How a run went."""

    requests: int = 0
    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    reached_origin: int = 0
    seconds: float = 0.0
    found: list[Found] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    rss_first: int = 0
    rss_last: int = 0

    @property
    def failed(self) -> bool:
        """Whether anything was wrong."""
        return bool(self.found or self.leaks or self.complaints)


class Run:
    """Cases of one seed against one edge."""

    def __init__(self, subject: Subject, journal: Journal, *, connections: int = 64) -> None:
        self._subject = subject
        self._journal = journal
        self._connections = connections
        self.report = Report()

    async def run(
        self, requests: int, *, progress: Callable[[Report], None] = lambda _: None, seconds: float = 1e9
    ) -> Report:
        """Until so many requests were sent, something failed, or the time is over."""
        report = self.report
        started = time.monotonic()
        numbers = 0
        await self._round(_cases(self._journal.seed, 0, 200))  # warms up what is kept for good
        descriptors = self._subject.descriptors()
        report.rss_first = self._subject.rss()
        numbers = 200
        while report.requests < requests and not report.failed and time.monotonic() - started < seconds:
            count = min(_ROUND, (requests - report.requests) // 3 + 1)
            await self._round(_cases(self._journal.seed, numbers, count))
            numbers += count
            await self._look_for_leaks(descriptors)
            report.seconds = time.monotonic() - started
            report.rss_last = self._subject.rss()
            progress(report)
        return report

    async def _round(self, cases: Iterator[Case]) -> None:
        async def one_after_the_other() -> None:
            for case in cases:
                found = await self.attempt(case)
                if found is not None:
                    self.report.found.append(found)
                if self.report.found:
                    return

        before = self._journal.requests
        await asyncio.gather(*(one_after_the_other() for _ in range(self._connections)))
        self.report.complaints = self._subject.complaints()[:20]
        self.report.reached_origin += self._journal.requests - before
        self._journal.clear()

    async def attempt(self, case: Case, patience: float = PATIENCE) -> Found | None:
        """Run one case; what was wrong with it."""
        journal = self._journal
        if case.kind == "answered":
            journal.break_answers_of.update(
                asked.mark for asked in case.requests if int(asked.mark[-1:], 16) % BROKEN_PART
            )
        violations = len(journal.violations)
        received = await run_case(self._subject.port, case, patience)
        report = self.report
        report.requests += len(case.requests)
        report.cases[case.kind] += 1
        if received.data[:9] == b"HTTP/1.1 ":
            report.statuses[int(received.data[9:12])] += 1
        failure = judge(case, received, journal)
        if len(journal.violations) > violations:
            problem, data = journal.violations[-1]
            failure = Failure("forwarded-malformed", f"{problem} in {data[:200]!r}")
        return None if failure is None else Found(case, failure, received)

    async def explore(self, examples: int) -> None:
        """The same by hypothesis."""
        found = await explore(self.attempt, examples, self._journal.seed)
        if found is not None:
            self.report.found.append(found)
        self.report.complaints = self._subject.complaints()[:20]
        self._journal.clear()

    async def _look_for_leaks(self, descriptors: int) -> None:
        """All clients are gone: nothing of them may be left."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            left = _left(await self._subject.gauges())
            idle = self._journal.connections
            more = self._subject.descriptors() - descriptors - idle
            if more > _SPARE_DESCRIPTORS:
                left = f"{left} {more} file descriptors more than at the start"
            if not left or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.1)
        if left:
            self.report.leaks.append(left)


def _left(gauges: dict[str, float]) -> str:
    left = []
    for name, value in gauges.items():
        if 'state="idle"' in name:
            continue
        expected = gauges[name.replace('"open"', '"idle"')] if 'state="open"' in name else 0
        if value != expected:
            left.append(f"{name} {value:g}")
    return ", ".join(left)


def _cases(seed: int, first: int, count: int) -> Iterator[Case]:
    for number in range(first, first + count):
        yield make_case(seed, number)


async def make_smaller(run: Run, found: Found) -> Found:
    """The smallest case at hand that fails in the same way: parts are left out as long as it still does.

    Parts are bytes where the request was broken, else whole requests.
    """
    case = found.case
    if case.kind == "asked":
        return await _shrink(run, found, case.sent, lambda sent: replace(case, pieces=(sent,)))
    return await _shrink(run, found, case.requests, lambda requests: _of_requests(case, requests))


def _of_requests(case: Case, requests: tuple[Asked, ...]) -> Case:
    return replace(case, requests=requests, pieces=(b"".join(asked.data for asked in requests),))


async def _shrink(run: Run, found: Found, parts: Parts, case_of: Callable[[Parts], Case]) -> Found:
    tries = 0
    size = len(parts)
    while size and tries < _MORE_TRIES:
        at = 0
        while at < len(parts) and tries < _MORE_TRIES:
            fewer = parts[:at] + parts[at + size :]
            tries += 1
            again = await run.attempt(case_of(fewer), patience=3.0) if fewer else None
            if again is not None and again.failure.kind == found.failure.kind:
                parts, found = fewer, again
            else:
                at += size
        size //= 2
    return found
