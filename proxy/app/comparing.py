# SPDX-License-Identifier: AGPL-3.0-or-later
"""What comparing showed, for the rollout and the dashboard: of all edges where there is a diff store, else of this
one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from proxy.app.mirroring import Mirroring
from proxy.experiment.evidence import Endpoint, Evidence
from proxy.experiment.outcome import Outcome, Severity
from proxy.experiment.store import Store, StoreError
from proxy.rollout.evidence import Comparisons, Covered
from proxy.rollout.ports import UnavailableError

KEPT_SECONDS: Final = 2.0
"""How old an answer may be; reading it costs more than a tick should."""
PATIENCE_SECONDS: Final = 2.0
"""A tick does not wait longer for a database that is gone, nor ask it anew at once."""
AWAY_SECONDS: Final = 5.0

_ALIKE: Final = (Outcome.MATCH, Outcome.MATCH_AFTER_NORMALIZING)


class _Shown(msgspec.Struct):
    endpoints: list[Endpoint] = []


class Comparing:
    """Reads evidence. `database_url`: the diff store, if there is one. `now`: seconds since 1970."""

    def __init__(
        self, mirroring: Mirroring, database_url: str | None, now: Callable[[], float] = time.time
    ) -> None:
        """Nothing is opened before the first question."""
        self._mirroring = mirroring
        self._url = database_url
        self._now = now
        self._store: Store | None = None
        self._open = contextlib.AsyncExitStack()
        self._kept: dict[str, tuple[float, Evidence]] = {}
        self._asking = asyncio.Lock()
        self._away_until = 0.0

    async def evidence(self, build: str = "") -> Evidence:
        """All of it, of one build of the new side or of all. Raises UnavailableError."""
        async with self._asking:
            at, kept = self._kept.get(build, (0.0, Evidence()))
            now = time.monotonic()
            if not at or now - at > KEPT_SECONDS:
                kept = await (self._here(build) if self._url is None else self._in_time(self._url, build))
                self._kept = {build: (time.monotonic(), kept)} | {
                    other: row for other, row in self._kept.items() if now - row[0] <= KEPT_SECONDS
                }
            return kept

    async def comparisons(self, groups: Sequence[str], build: str) -> Mapping[str, Comparisons]:
        """See `proxy.rollout.ports.Compared`."""
        evidence = await self.evidence(build)
        return {group: comparisons_of(evidence, group, build, self._now()) for group in groups}

    async def close(self) -> None:
        """Let go of connections."""
        await self._open.aclose()

    async def _here(self, build: str) -> Evidence:
        if self._mirroring.pid is None:
            return Evidence()
        shown = await self._mirroring.show()
        if shown is None:
            raise UnavailableError("the comparing process does not answer")
        endpoints = msgspec.json.decode(shown, type=_Shown).endpoints
        return Evidence(tuple(of_build(endpoint, build) for endpoint in endpoints))

    async def _in_time(self, url: str, build: str) -> Evidence:
        if time.monotonic() < self._away_until:
            raise UnavailableError("comparisons could not be read a moment ago")
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._stored(url, build)
        except (TimeoutError, UnavailableError) as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise UnavailableError(str(error) or "comparisons could not be read in time") from None

    async def _stored(self, url: str, build: str) -> Evidence:
        try:
            if self._store is None:
                self._store = await self._open.enter_async_context(Store.open(url))
            return await self._store.evidence(build=build or None)
        except (StoreError, OSError) as error:
            raise UnavailableError(f"the diff store: {error}") from error


def of_build(endpoint: Endpoint, build: str) -> Endpoint:
    """What was seen with one build; all of it where none is named."""
    if not build:
        return endpoint
    return msgspec.structs.replace(
        endpoint,
        counts=tuple(count for count in endpoint.counts if count.series.build in (build, "")),
        findings=tuple(
            found for found in endpoint.findings if any(one.build == build for one in found.sightings)
        ),
    )


def comparisons_of(evidence: Evidence, group: str, build: str, now: float) -> Comparisons:
    """What gates want to know of a group.

    An error on one side is no difference in what was said: `errors` judges it from users' own requests, and where it
    was the new side's, an open finding says so as well. `build` "" is: whichever.
    """
    compared = differing = left = errors = 0
    asked: set[str] = set()
    answered: set[str] = set()
    approved = {approval.fingerprint for approval in evidence.approvals if approval.holds(now)}
    for endpoint in evidence.endpoints:
        for count in endpoint.counts:
            series = count.series
            if series.group != group or (series.build not in (build, "") and build):
                continue
            asked.add(series.role)
            if series.outcome is Outcome.NOT_COMPARABLE:
                left += count.times
                continue
            if series.role:
                answered.add(series.role)
            if series.outcome in _ALIKE:
                compared += count.times
            elif series.outcome is Outcome.MISMATCH:
                compared += count.times
                differing += count.times
        errors += sum(
            found.group == group
            and found.severity is Severity.ERR
            and found.fingerprint not in approved
            and (not build or any(one.build == build for one in found.sightings))
            for found in endpoint.findings
        )
    coverage = {"role": Covered(tuple(sorted(asked)), tuple(sorted(answered)))} if asked else {}
    return Comparisons(compared, differing, left, errors, coverage)
