# SPDX-License-Identifier: AGPL-3.0-or-later
"""Comparisons added up in bounded memory, between two writes of the store (or over a whole replay). Pure.

    add(pair, comparison) …   take() → Batch   → store.write, or Evidence.of

Counting a comparison costs a few dictionary look-ups. A sample is redacted only when it will be kept: the first
`SAMPLES` of a finding, then one every `REFRESH` seconds, so that the store always holds fresh ones. What goes beyond a
bound is counted as lost, per route, and shown in reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from uuid import uuid4

import msgspec

from proxy.experiment.evidence import (
    HOUR,
    RANK,
    SAMPLES,
    Batch,
    Count,
    Covered,
    Dimension,
    Found,
    Loss,
    Lost,
    NoiseSeen,
    Sample,
    Series,
    Sighting,
)
from proxy.experiment.noise import Noise
from proxy.experiment.observation import Pair
from proxy.experiment.outcome import Comparison, Finding, Kind, Outcome, Severity, Why
from proxy.experiment.redact import redact_finding, redact_headers, redact_pointer, redact_target

REFRESH = 600.0
"""Seconds after which a finding that has all its samples gets a new one."""

_ODD_NAME = "(other)"
# Names of parameters are written by programmers: short words. Anything else may be a value in the wrong place.
_NAME = re.compile(r"[A-Za-z_][A-Za-z_.-]*[0-9]{0,2}(?:\[[A-Za-z_-]*\])*")
_MOST_NAMES = 20
_LONGEST_NAME = 40


class Bounds(msgspec.Struct, frozen=True):
    """How much a tally holds."""

    series: int = 20_000
    findings: int = 5_000
    findings_per_route: int = 500
    coverage: int = 20_000
    noise: int = 5_000


class _Open(msgspec.Struct):
    """A finding while it is added up."""

    route: str
    group: str
    field: str
    kind: Kind
    severity: Severity
    first_seen: float
    last_seen: float
    sightings: dict[tuple[str, int], int]
    samples: list[Sample]


class _Span(msgspec.Struct):
    """Times and when."""

    first_seen: float
    last_seen: float
    times: int = 0

    def add(self, at: float, times: int = 1) -> None:
        self.times += times
        self.first_seen = min(self.first_seen, at)
        self.last_seen = max(self.last_seen, at)


class Tally:
    """Adds up; belongs to one thread."""

    def __init__(
        self, bounds: Bounds | None = None, *, new_id: Callable[[], str] = lambda: uuid4().hex
    ) -> None:
        """`new_id` names batches; no two may be alike."""
        self._bounds = bounds or Bounds()
        self._new_id = new_id
        # Outlives a batch: how many samples of a finding were taken, and when the last one was.
        self._sampled: dict[str, tuple[int, float]] = {}
        self._begin()

    def _begin(self) -> None:
        self._counts: dict[tuple[Series, int], int] = {}
        self._findings: dict[str, _Open] = {}
        self._findings_of: dict[str, int] = {}
        self._coverage: dict[tuple[str, Dimension, str], _Span] = {}
        self._noise: dict[tuple[str, str, Kind, str], NoiseSeen] = {}
        self._lost: dict[tuple[str, Loss], _Span] = {}

    def add(self, pair: Pair, comparison: Comparison) -> None:
        """Take in what a pair came to. The pair's bodies are not kept."""
        role, build = pair.asked.role, pair.candidate.build
        series = Series(pair.route, pair.group, pair.served, build, role, comparison.outcome, comparison.why)
        self._count(series, pair.at)
        if comparison.outcome is not Outcome.NOT_COMPARABLE:
            self._cover(pair)
        for finding in comparison.findings:
            self._find(pair, finding)

    def add_dropped(self, route: str, group: str, served: str, role: str, why: Why, at: float) -> None:
        """Take in a request that was chosen and could not be asked again or compared (`overflow`, `budget`)."""
        self._count(Series(route, group, served, "", role, Outcome.NOT_COMPARABLE, why), at)

    def add_noise(self, noise: Iterable[Noise], at: float) -> None:
        """Take in what a learner knows by now; it replaces what was said before about the same fields."""
        for one in noise:
            key = (one.route, one.field, one.kind, one.sort)
            if len(self._noise) < self._bounds.noise or key in self._noise:
                self._noise[key] = NoiseSeen(**msgspec.structs.asdict(one), last_seen=at)

    def add_lost(self, what: Loss, times: int, at: float, route: str = "") -> None:
        """Take in that evidence was lost on its way here."""
        self._lose(route, what, at, times)

    def take(self) -> Batch:
        """What was added since the last time; the tally is empty then."""
        batch = self.batch()
        self._begin()
        if len(self._sampled) > 4 * self._bounds.findings:
            self._sampled.clear()
        return batch

    def batch(self) -> Batch:
        """What was added since `take` was called last; the tally goes on."""
        return Batch(
            self._new_id(),
            tuple(Count(series, hour, times) for (series, hour), times in self._counts.items()),
            tuple(_found(fingerprint, found) for fingerprint, found in self._findings.items()),
            tuple(
                Covered(*key, span.first_seen, span.last_seen, span.times)
                for key, span in self._coverage.items()
            ),
            tuple(self._noise.values()),
            tuple(
                Lost(route, what, span.times, span.last_seen) for (route, what), span in self._lost.items()
            ),
        )

    def _count(self, series: Series, at: float) -> None:
        key = (series, _hour(at))
        if key in self._counts:
            self._counts[key] += 1
        elif len(self._counts) < self._bounds.series:
            self._counts[key] = 1
        else:
            self._lose(series.route, Loss.COMPARISONS, at)

    def _cover(self, pair: Pair) -> None:
        for dimension, value in (
            (Dimension.METHOD, pair.asked.method),
            (Dimension.QUERY, query_names(pair.asked.target)),
            (Dimension.STATUS, str(pair.control.status)),
            (Dimension.ROLE, pair.asked.role),
        ):
            key = (pair.route, dimension, value)
            span = self._coverage.get(key)
            if span is None:
                if len(self._coverage) >= self._bounds.coverage:
                    self._lose(pair.route, Loss.COVERAGE, pair.at)
                    continue
                span = self._coverage[key] = _Span(pair.at, pair.at)
            span.add(pair.at)

    def _find(self, pair: Pair, finding: Finding) -> None:
        found = self._findings.get(finding.fingerprint)
        if found is None:
            of_route = self._findings_of.get(pair.route, 0)
            if len(self._findings) >= self._bounds.findings or of_route >= self._bounds.findings_per_route:
                self._lose(pair.route, Loss.FINDINGS, pair.at)
                return
            self._findings_of[pair.route] = of_route + 1
            found = self._findings[finding.fingerprint] = _Open(
                pair.route,
                pair.group,
                redact_pointer(finding.field),
                finding.difference.kind,
                finding.severity,
                pair.at,
                pair.at,
                {},
                [],
            )
        found.first_seen = min(found.first_seen, pair.at)
        found.last_seen = max(found.last_seen, pair.at)
        found.severity = min(found.severity, finding.severity, key=RANK.__getitem__)
        key = (pair.candidate.build, _hour(pair.at))
        found.sightings[key] = found.sightings.get(key, 0) + 1
        if self._wants_sample(finding.fingerprint, found, pair.at):
            found.samples.append(sample_of(pair, finding))

    def _wants_sample(self, fingerprint: str, found: _Open, at: float) -> bool:
        taken, last = self._sampled.get(fingerprint, (0, 0.0))
        if len(found.samples) >= SAMPLES or (taken >= SAMPLES and at - last < REFRESH):
            return False
        self._sampled[fingerprint] = (taken + 1, at)
        return True

    def _lose(self, route: str, what: Loss, at: float, times: int = 1) -> None:
        # Routes come from the catalogue and the list is closed, so this is bounded by itself.
        self._lost.setdefault((route, what), _Span(at, at)).add(at, times)


def sample_of(pair: Pair, finding: Finding) -> Sample:
    """What may be kept of a pair to show a finding."""
    pointer, control, candidate = redact_finding(finding)
    return Sample(
        at=pair.at,
        request_id=pair.request_id,
        method=pair.asked.method,
        target=redact_target(pair.asked.target),
        headers=redact_headers(pair.asked.headers),
        role=pair.asked.role,
        pointer=pointer,
        control=control,
        candidate=candidate,
        control_status=pair.control.status,
        candidate_status=pair.candidate.status,
        control_side=pair.control.side,
        candidate_side=pair.candidate.side,
        served=pair.served,
        build=pair.candidate.build,
        generation=pair.generation,
    )


def query_names(target: str) -> str:
    """The names of a target's parameters, each once, sorted, joined by `&`; `(other)` is what is no name."""
    _, _, query = target.partition("?")
    if not query:
        return ""
    names = {_name(part.partition("=")[0]) for part in query.split("&", 200) if part}
    if len(names) > _MOST_NAMES:
        return _ODD_NAME
    return "&".join(sorted(names))


def _name(raw: str) -> str:
    name = raw.replace("%5B", "[").replace("%5D", "]").replace("%5b", "[").replace("%5d", "]")
    return name if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) else _ODD_NAME


def _hour(at: float) -> int:
    return int(at // HOUR) * HOUR


def _found(fingerprint: str, found: _Open) -> Found:
    return Found(
        fingerprint,
        found.route,
        found.group,
        found.field,
        found.kind,
        found.severity,
        found.first_seen,
        found.last_seen,
        tuple(Sighting(build, hour, times) for (build, hour), times in found.sightings.items()),
        tuple(found.samples),
    )
