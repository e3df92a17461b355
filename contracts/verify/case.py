# SPDX-License-Identifier: AGPL-3.0-or-later
"""One recorded write, run once: setup, steps, and everything that came of them."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping

import msgspec

from contracts.address import Address
from contracts.client import Connection, ConnectionFailedError
from contracts.compare import Answer
from contracts.corpus import JOB, Message, Write, WriteRequest
from contracts.verify.compare import Expected, Own
from contracts.verify.database import Database, DatabaseError, Delta, effects
from contracts.verify.lessons import Lessons, in_own_words
from contracts.verify.mailfacts import facts_of
from contracts.verify.outgoing import Listener
from contracts.verify.pubsub import Published
from contracts.verify.sender import MissingFileError, People, Sender
from contracts.verify.smtp import MailServer
from proxy.experiment.outcome import Difference

_POLL = 0.05


class Manner(msgspec.Struct, frozen=True):
    """How cases are run. Seconds: `patience` for one answer, `settle` at most for effects that come after an answer,
    `quiet` for effects that should not come. `jobs` is a command that does a clock's work; its name is added."""

    patience: float = 10.0
    settle: float = 2.0
    quiet: float = 0.1
    jobs: str | None = None


class Stage(msgspec.Struct, frozen=True):
    """Everything around the application under test."""

    server: Address
    database: Database
    redis: Published
    mail: MailServer
    outgoing: Listener


class Ran(msgspec.Struct, frozen=True):
    """What came of a case: its differences, and its last answer. With a `failure`, the step that got no answer."""

    differences: list[Difference]
    step: int
    answer: Answer | None = None
    seconds: float = 0.0
    failure: ConnectionFailedError | None = None


class CaseNotRunError(Exception):
    """A case cannot be run here; the message says why."""


class CaseRun:
    """Made for one run of one case, on a database that was just restored."""

    def __init__(
        self,
        case: Write,
        stage: Stage,
        manner: Manner,
        sessions: Mapping[str, Mapping[str, str]],
        stored: Mapping[str, bytes],
    ) -> None:
        self._case = case
        self._stage = stage
        self._manner = manner
        self._people = People(sessions)
        self._stored = stored
        self._expected = Expected(case)
        self._before: Delta = {}
        self._answers: list[Answer | int] = []
        self._messages: list[Message] = []

    async def run(self) -> Ran:
        """Do it all. Raises `CaseNotRunError`, and what the stage raises when it breaks."""
        if self._case.is_job and self._manner.jobs is None:
            raise CaseNotRunError("the work of a clock; --jobs-command says how to start it")
        await self._prepare()
        connection = self._stage.server.connection(self._manner.patience)
        try:
            seconds = await self._all_steps(connection)
        except ConnectionFailedError as error:
            return Ran([], len(self._answers), failure=error)
        except MissingFileError as error:
            raise CaseNotRunError(str(error)) from error
        finally:
            connection.close()
        differences = await self._settled()
        last = next((answer for answer in reversed(self._answers) if isinstance(answer, Answer)), None)
        return Ran(differences, len(self._answers) - 1, last, seconds)

    async def _prepare(self) -> None:
        self._stage.mail.taken.clear()
        self._stage.outgoing.taken.clear()
        await self._stage.redis.clear()
        if self._case.setup:
            try:
                for statement in self._case.setup:
                    await self._stage.database.run(self._stage.outgoing.readdressed(statement))
            except DatabaseError as error:
                raise CaseNotRunError(str(error)) from error
            self._before = await self._stage.database.delta()

    async def _all_steps(self, connection: Connection) -> float:
        sender = Sender(self._stage.server, connection, self._stored)
        seconds = 0.0
        for number, step in enumerate(self._case.steps):
            if step.request.method == JOB:
                self._answers.append(await self._work(step.request.path))
                continue
            request = await self._in_own_words(number, step.request)
            answer, took = await sender.send(step.actor, request, self._people)
            self._answers.append(answer)
            seconds += took
        return seconds

    async def _work(self, name: str) -> int:
        """Do a clock's work; its exit code."""
        command = [*shlex.split(self._manner.jobs or ""), name]
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
            )
        except OSError as error:
            raise CaseNotRunError(f"--jobs-command: {error}") from error
        await process.communicate()
        return process.returncode or 0

    async def _in_own_words(self, number: int, request: WriteRequest) -> WriteRequest:
        """A request with what it takes from this run; waits for what is not there yet."""
        at = f"/steps/{number}/request"
        noise = [pointer[len(at) :] for pointer in self._case.noise if pointer.startswith(f"{at}/")]
        request = _readdressed(request, self._stage.outgoing)
        deadline = asyncio.get_running_loop().time() + self._manner.settle
        while noise:
            own = await self._gathered()
            told, unknown = in_own_words(request, noise, self._lessons(own))
            # What is never told is sent as recorded: the answer will show that it was not to be had.
            if not unknown or asyncio.get_running_loop().time() > deadline:
                return told
            await asyncio.sleep(_POLL)
        return request

    def _lessons(self, own: Own) -> Lessons:
        lessons = Lessons()
        for step, answer in zip(self._case.steps, own.answers, strict=False):
            if isinstance(answer, Answer):
                lessons.learn(
                    step.response.plain_headers, {name.lower(): text for name, text in answer.headers}
                )
                lessons.learn(step.response.parsed_body(), _facts(answer))
        _, paired = self._expected.pair_rows(own.rows)
        for table, effect in self._case.rows.items():
            mine = own.rows.get(table)
            if mine is None:
                continue
            for place, other in paired[table].pairs:
                lessons.learn(effect.insert[place], mine.insert[other])
            by_key = {msgspec.json.encode(one.key, order="sorted"): one.set for one in mine.update}
            for one in effect.update:
                lessons.learn(one.set, by_key.get(msgspec.json.encode(one.key, order="sorted")))
        for mail in self._case.mails:
            recipients = tuple(mail["headers"]["x-envelope-to"])
            for sent in own.mails:
                if sent.recipients == recipients:
                    lessons.learn_alike(mail["urls"], sent.urls)
        return lessons

    async def _settled(self) -> list[Difference]:
        """The differences once nothing is to be expected any more: at once where there are none and none come."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._manner.settle
        while True:
            differences = self._expected.differences(await self._gathered())
            if not differences:
                await asyncio.sleep(self._manner.quiet)
                return self._expected.differences(await self._gathered())
            if loop.time() > deadline:
                return differences
            await asyncio.sleep(_POLL)

    async def _gathered(self) -> Own:
        """All that came of the steps until now."""
        self._messages += await self._stage.redis.messages()
        after = await self._stage.database.delta()
        return Own(
            tuple(self._answers),
            effects(self._stage.database.tables, self._before, after),
            tuple(self._messages),
            await self._stage.redis.keys(),
            tuple(facts_of(mail) for mail in self._stage.mail.taken),
            tuple(self._stage.outgoing.taken),
        )


def _readdressed(request: WriteRequest, listener: Listener) -> WriteRequest:
    return msgspec.structs.replace(
        request,
        path=listener.readdressed(request.path),
        body=msgspec.Raw(listener.readdressed(bytes(request.body).decode()).encode()),
        raw=None if request.raw is None else listener.readdressed(request.raw),
    )


def _facts(answer: Answer) -> object:
    """The body of an answer, as far as something can be learned from it."""
    try:
        return msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return None
