# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asks a server every case, a few at a time, and adds up what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from contracts.address import Address
from contracts.client import Connection, ConnectionFailedError
from contracts.compare import Expectation
from contracts.judge import (
    asked,
    failed,
    is_server_error,
    moved,
    observed,
    recorded,
    role_of,
    unanswered,
    verdict,
)
from contracts.traffic import ReadyRequest
from proxy.experiment.observation import Observation, Pair
from proxy.experiment.outcome import Comparison, Outcome, Why
from proxy.experiment.tally import Tally

GIVE_UP = 20
"""So many requests in a row without any answer mean that the server has gone away."""


class ServerUnreachableError(Exception):
    """The server never answered; the message says what was tried."""


class Progress(msgspec.Struct):
    """Where a run stands."""

    total: int
    done: int = 0
    different: int = 0
    silent: int = 0
    """Cases that got no whole answer."""


class Replayed(msgspec.Struct, frozen=True):
    """How a run ended. `stopped` says why it ended before its last case."""

    progress: Progress
    seconds: float
    stopped: str | None = None


async def replay(
    requests: Sequence[ReadyRequest],
    server: Address,
    tally: Tally,
    *,
    concurrency: int = 4,
    patience: float = 10.0,
    clock: Callable[[], float] = time.time,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Replayed:
    """Ask every request of `server` and add what comes of it to `tally`; `patience` (seconds) is for one answer.

    Raises `ServerUnreachableError` where there was never an answer.
    """
    run = _Run(requests, server, tally, patience, clock, watch)
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, len(requests))):
            group.create_task(run.work())
    if run.stopped is not None:
        if not run.heard:
            raise ServerUnreachableError(f"{server}: {run.stopped}")
        run.cancel_rest()
    return Replayed(run.progress, time.perf_counter() - started, run.stopped)


class _Run:
    def __init__(
        self,
        requests: Sequence[ReadyRequest],
        server: Address,
        tally: Tally,
        patience: float,
        clock: Callable[[], float],
        watch: Callable[[Progress], None],
    ) -> None:
        self.progress = Progress(len(requests))
        self.heard = False
        self.stopped: str | None = None
        self._left: Iterator[ReadyRequest] = iter(requests)
        self._server = server
        self._tally = tally
        self._patience = patience
        self._clock = clock
        self._watch = watch
        self._in_a_row = 0

    async def work(self) -> None:
        """Ask what is left, one after the other."""
        connection = self._server.connection(self._patience)
        try:
            for request in self._left:
                await self._ask(connection, request)
                if self.stopped is not None:
                    break
        finally:
            connection.close()

    def cancel_rest(self) -> None:
        """Count what was not asked."""
        for request in self._left:
            case = request.case
            role = role_of(case.actor, request.target, case.request.headers)
            self._tally.add_dropped(case.endpoint, "", "", role, Why.CANCELLED, self._clock())

    async def _ask(self, connection: Connection, request: ReadyRequest) -> None:
        case = request.case
        at = self._clock()
        question = asked(case.actor, request.method, request.target, request.headers)
        candidate, comparison = await self._compared(connection, request)
        pair = Pair(case.id, case.endpoint, "", 0, at, question, recorded(case.response), candidate)
        self._tally.add(pair, comparison)
        self.progress.done += 1
        self.progress.different += comparison.outcome in (Outcome.MISMATCH, Outcome.ERROR_ONE_SIDE)
        self._watch(self.progress)

    async def _compared(
        self, connection: Connection, request: ReadyRequest
    ) -> tuple[Observation, Comparison]:
        case = request.case
        try:
            timed = await connection.ask(request.head(self._server.authority))
        except ConnectionFailedError as error:
            self._note_silence(error)
            silent = unanswered(error)
            assert silent.failure is not None  # noqa: S101 - an unanswered request has one
            return silent, failed(case.endpoint, case.response.status, silent.failure)
        self.heard = True
        self._in_a_row = 0
        found = moved(Expectation.of(case).differences(timed.answer), "")
        error_there = is_server_error(case.response.status, timed.answer.status)
        return observed(timed.answer, timed.seconds), verdict(case.endpoint, found, error=error_there)

    def _note_silence(self, error: ConnectionFailedError) -> None:
        self.progress.silent += 1
        self._in_a_row += 1
        # Whoever refused the very first connections is not there at all.
        if self._in_a_row >= GIVE_UP or (error.code == "refused" and not self.heard):
            self.stopped = self.stopped or f"no answer any more ({error})" if self.heard else str(error)
