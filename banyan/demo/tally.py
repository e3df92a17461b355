# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was counted, seen from the visitors' side. Pure."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Final

from banyan.demo.judge import Kind, Verdict
from contracts.corpus import Read

_GROWTH: Final = math.log(1.02)
"""Latencies are counted in bins that grow by 2 %: percentiles are exact to 1 %, and a demo may run for days."""

_MOST_FINDINGS: Final = 50


class Latencies:
    """How long answers took."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one."""
        self._bins[math.floor(math.log(max(seconds, 1e-6)) / _GROWTH)] += 1

    def percentile_ms(self, share: float) -> float:
        """The milliseconds that `share` (0 to 1) of all stayed below; 0 where nothing was counted."""
        rank = max(1, math.ceil(share * self._bins.total()))
        for at in sorted(self._bins):
            rank -= self._bins[at]
            if rank <= 0:
                return round(math.exp((at + 0.5) * _GROWTH) * 1000, 3)
        return 0.0


class GroupTally:
    """One group's figures."""

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.latencies = Latencies()


@dataclass(slots=True)
class Finding:
    """Something that went wrong, so many times; `case_id` is the first case that showed it."""

    kind: Kind
    case_id: str
    detail: str
    times: int = 0

    def __str__(self) -> str:
        often = f" ({self.times:,} times)" if self.times > 1 else ""
        return f"{self.kind}{often}: {self.case_id}: {self.detail}"


class Tally:
    """All figures. `findings` are the first different things that went wrong, by endpoint and detail."""

    def __init__(self) -> None:
        self.requests = 0
        self.edge_errors = 0
        self.mismatches = 0
        self.latencies = Latencies()
        self.groups: dict[str, GroupTally] = {}
        self._findings: dict[tuple[str, str], Finding] = {}

    @property
    def findings(self) -> list[Finding]:
        """What went wrong, in order of appearance."""
        return list(self._findings.values())

    def add(self, group: str, case: Read, verdict: Verdict, seconds: float | None) -> None:
        """Count one request of a recorded `case`; `seconds` is None where no answer came."""
        tally = self.groups.setdefault(group, GroupTally())
        self.requests += 1
        tally.requests += 1
        if seconds is not None:
            self.latencies.add(seconds)
            tally.latencies.add(seconds)
        if verdict.kind is Kind.SAME:
            return
        if verdict.kind is Kind.EDGE_ERROR:
            self.edge_errors += 1
            tally.errors += 1
        else:
            self.mismatches += 1
        key = (case.endpoint, verdict.detail)
        if key in self._findings or len(self._findings) < _MOST_FINDINGS:
            finding = self._findings.setdefault(key, Finding(verdict.kind, case.id, verdict.detail))
            finding.times += 1
