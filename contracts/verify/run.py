# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs recorded writes, one after the other, each from the corpus' own state, and adds up what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from contracts.corpus import JOB, Corpus, Response, Write
from contracts.judge import asked, failed, is_server_error, observed, recorded, role_of, unanswered, verdict
from contracts.replay import Progress, Replayed, ServerUnreachableError
from contracts.verify.case import CaseNotRunError, CaseRun, Manner, Ran, Stage
from proxy.experiment.observation import Observation, Pair
from proxy.experiment.outcome import Comparison, Outcome, Why
from proxy.experiment.tally import Tally

GIVE_UP = 3
"""So many cases in a row without an answer mean that the server has gone away."""


class Skipped(msgspec.Struct, frozen=True):
    """A case that could not be run, and why."""

    case: str
    reason: str


class Verifier:
    """Runs cases on a stage."""

    def __init__(
        self,
        stage: Stage,
        corpus: Corpus,
        tally: Tally,
        manner: Manner,
        *,
        files: Mapping[str, bytes] | None = None,
        clock: Callable[[], float] = time.time,
        watch: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        """`files` are contents that forms carry, by their SHA-256."""
        self.skipped: list[Skipped] = []
        self._stage = stage
        self._sessions = corpus.sessions
        self._tally = tally
        self._manner = manner
        self._stored = corpus.stored_by_digest | dict(files or {})
        self._clock = clock
        self._watch = watch
        self._in_a_row = 0

    async def run(self, cases: Sequence[Write]) -> Replayed:
        """Run every case; the database is the corpus' and Redis is empty afterwards.

        Raises `ServerUnreachableError` where there was never an answer, `DatabaseError` and `RedisFailedError` where
        the stage breaks.
        """
        progress = Progress(len(cases))
        started = time.perf_counter()
        stopped = None
        await self._stage.database.restore()
        try:
            for case in cases:
                await self._one(case, progress)
                if self._in_a_row and (self._in_a_row >= GIVE_UP or progress.silent == progress.done):
                    stopped = f"no answer any more from {self._stage.server}"
                    break
        finally:
            await self._stage.database.restore()
            await self._stage.redis.clear()
        if stopped and progress.silent + len(self.skipped) == progress.done:
            raise ServerUnreachableError(f"{self._stage.server}: no answer")
        self._drop(cases[progress.done :])
        return Replayed(progress, time.perf_counter() - started, stopped)

    async def _one(self, case: Write, progress: Progress) -> None:
        at = self._clock()
        try:
            ran = await CaseRun(case, self._stage, self._manner, self._sessions, self._stored).run()
        except CaseNotRunError as error:
            self.skipped.append(Skipped(case.id, str(error)))
            self._drop([case])
        else:
            comparison = _comparison(case, ran)
            self._tally.add(_pair(case, ran, at), comparison)
            progress.different += comparison.outcome in (Outcome.MISMATCH, Outcome.ERROR_ONE_SIDE)
            progress.silent += ran.failure is not None
            self._in_a_row = self._in_a_row + 1 if ran.failure else 0
        progress.done += 1
        self._watch(progress)
        await self._stage.database.restore()

    def _drop(self, cases: Iterable[Write]) -> None:
        """Count what was not run."""
        for case in cases:
            step = case.steps[-1]
            role = role_of(step.actor, step.request.path, step.request.headers)
            self._tally.add_dropped(case.endpoint, "", "", role, Why.CANCELLED, self._clock())


def _comparison(case: Write, ran: Ran) -> Comparison:
    if ran.failure is not None:
        silent = unanswered(ran.failure).failure
        assert silent is not None  # noqa: S101 - an unanswered request has one
        return failed(case.endpoint, case.steps[ran.step].response.status, silent)
    status = ran.answer.status if ran.answer else 0
    error = is_server_error(_last(case).status, status)
    return verdict(case.endpoint, ran.differences, error=error)


def _pair(case: Write, ran: Ran, at: float) -> Pair:
    """The case as the question of its last step that is a request."""
    step = next((one for one in reversed(case.steps) if one.request.method != JOB), case.steps[-1])
    question = asked(step.actor, step.request.method, step.request.path, tuple(step.request.headers.items()))
    if ran.failure is not None:
        candidate = unanswered(ran.failure)
    elif ran.answer is not None:
        candidate = observed(ran.answer, ran.seconds)
    else:
        candidate = Observation("candidate")
    return Pair(case.id, case.endpoint, "", 0, at, question, recorded(_last(case)), candidate)


def _last(case: Write) -> Response:
    return next((one for one in reversed(case.steps) if one.request.method != JOB), case.steps[-1]).response
