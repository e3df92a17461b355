# SPDX-License-Identifier: AGPL-3.0-or-later
"""What comparing showed, for the rollout's gates: read from the diff store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from proxy.experiment.evidence import Count, Evidence
from proxy.experiment.outcome import Outcome, Severity
from proxy.experiment.store import Store, StoreError
from proxy.rollout.evidence import Comparisons, Covered
from proxy.rollout.ports import UnavailableError

_FRESH: Final = 5.0  # seconds: a gate is asked every tick, and a store need not be

_PATIENCE: Final = 1.0

_COMPARABLE: Final = frozenset(Outcome) - {Outcome.NOT_COMPARABLE}
_DIFFER: Final = frozenset({Outcome.MISMATCH, Outcome.ERROR_ONE_SIDE})


class StoredComparisons:
    """Comparisons by group and build, remembered for a moment. `url`: the diff store's database."""

    def __init__(self, url: str, now: Callable[[], float]) -> None:
        self._url = url
        self._now = now
        self._found: dict[tuple[str, str], tuple[float, Comparisons]] = {}
        self._open = contextlib.AsyncExitStack()
        self._store: Store | None = None
        self._away_until = 0.0

    async def comparisons(self, groups: Sequence[str], build: str) -> Mapping[str, Comparisons]:
        """As the port says. `build` "" is: whichever."""
        now = self._now()
        found = {}
        for group in groups:
            known = self._found.get((group, build))
            if known is None or now - known[0] > _FRESH:
                if now < self._away_until:
                    raise UnavailableError("comparisons could not be read a moment ago")
                evidence = await self._in_time(group, build)
                known = self._found[group, build] = (now, comparisons_of(evidence, group, build, now))
            found[group] = known[1]
        return found

    async def _in_time(self, group: str, build: str) -> Evidence:
        """A tick must not wait for a database that is gone, and not ask it anew every time."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._evidence(group, build)
        except (TimeoutError, UnavailableError) as error:
            self._away_until = self._now() + _FRESH
            raise UnavailableError(str(error) or "comparisons could not be read in time") from None

    async def _evidence(self, group: str, build: str) -> Evidence:
        try:
            if self._store is None:
                self._store = await self._open.enter_async_context(Store.open(self._url))
            return await self._store.evidence(group=group, build=build or None)
        except (StoreError, OSError) as error:
            raise UnavailableError(f"the diff store: {error}") from None

    async def close(self) -> None:
        """Let go of connections."""
        await self._open.aclose()


def comparisons_of(evidence: Evidence, group: str, build: str, now: float) -> Comparisons:
    """What evidence says of one group with one build ("": any)."""
    approved = {approval.fingerprint for approval in evidence.approvals if approval.holds(now)}
    counts: list[Count] = []
    open_errors = 0
    for endpoint in evidence.endpoints:
        counts += [
            count
            for count in endpoint.counts
            if count.series.group == group and (not build or count.series.build in ("", build))
        ]
        open_errors += sum(
            1
            for finding in endpoint.findings
            if finding.group == group
            and finding.severity is Severity.ERR
            and finding.fingerprint not in approved
            and (not build or any(sighting.build == build for sighting in finding.sightings))
        )
    times = {
        outcome: sum(count.times for count in counts if count.series.outcome is outcome)
        for outcome in Outcome
    }
    roles = {count.series.role for count in counts if count.series.role}
    compared = {
        count.series.role for count in counts if count.series.role and count.series.outcome in _COMPARABLE
    }
    return Comparisons(
        compared=sum(times[outcome] for outcome in _COMPARABLE),
        differing=sum(times[outcome] for outcome in _DIFFER),
        not_comparable=times[Outcome.NOT_COMPARABLE],
        open_errors=open_errors,
        coverage={"role": Covered(tuple(sorted(roles)), tuple(sorted(compared)))} if roles else {},
    )
