# SPDX-License-Identifier: AGPL-3.0-or-later
"""People using the application: who comes, what they ask, and at which pace.

A *seat* is a place for one visitor at a time, with a connection of its own. A visitor stays for some requests, then
the next one sits down: half of them anonymous and new, the others one of the recorded people. A visitor brings the
cookies of their recording and keeps those that the edge adds, as a browser would; what the application sets is not
taken over, because every recording starts from the recorded session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Final, NamedTuple

from banyan.demo.judge import EDGE_COOKIE, Kind, Verdict, judge
from contracts.client import Connection, ConnectionFailedError
from contracts.compare import Answer
from contracts.corpus import ANONYMOUS
from contracts.traffic import Mix, ReadyRequest

RATE: Final = 300.0
"""Requests per second that all visitors aim at together: enough to see things move, too little to saturate a laptop."""

SEATS: Final = 48

STAY: Final = (10, 40)
"""Fewest and most requests of one visitor."""

MOVING_SHARE: Final = 0.25
"""So many requests go to groups that are moving, more than in the journeys, so that their shares can be seen."""

OnAnswer = Callable[[ReadyRequest, Verdict, float | None], None]


class Traffic(NamedTuple):
    """Everything that was recorded, and the part of it that asks groups that are moving (and who can)."""

    all: Mix
    moving: Mix | None = None
    movers: frozenset[str] = frozenset()

    def with_moving(self, requests: list[ReadyRequest]) -> Traffic:
        """The same with `requests` as what moves now, all their endpoints equally often."""
        if not requests:
            return Traffic(self.all)
        return Traffic(self.all, Mix(requests, []), frozenset(request.actor for request in requests))


class Visitor:
    """Somebody with a session (`cookies`), or an anonymous one with an empty jar."""

    def __init__(self, actor: str, cookies: Mapping[str, str]) -> None:
        self.actor = actor
        self.cookies = dict(cookies)

    def bytes_of(self, request: ReadyRequest, host: str) -> bytes:
        """A recorded request as this visitor sends it."""
        lines = [f"{request.method} {request.target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in request.headers if name.lower() != "cookie"]
        if self.cookies:
            pairs = (f"{name}={value}" for name, value in self.cookies.items())
            lines.append(f"Cookie: {'; '.join(pairs)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def keep_cookies(self, answer: Answer) -> None:
        """Take over what the edge set."""
        for name, line in answer.headers:
            if name.lower() == "set-cookie" and line.startswith(f"{EDGE_COOKIE}="):
                self.cookies[EDGE_COOKIE] = line.partition("=")[2].partition(";")[0]


def visitors(
    actors: list[str], sessions: Mapping[str, Mapping[str, str]], random: Random
) -> Iterator[Visitor]:
    """Who comes, without end. Every second one is anonymous, as far as anonymous requests were recorded."""
    people = [actor for actor in actors if actor != ANONYMOUS]
    while True:
        anonymous = ANONYMOUS in actors and (not people or random.random() < 0.5)
        actor = ANONYMOUS if anonymous else random.choice(people)
        yield Visitor(actor, sessions.get(actor, {}))


def draw(traffic: Traffic, actor: str, random: Random) -> ReadyRequest:
    """What `actor` asks next."""
    moving = traffic.moving
    if moving is not None and actor in traffic.movers and random.random() < MOVING_SHARE:
        return moving.draw(actor, random)
    return traffic.all.draw(actor, random)


def pace(pauses: list[float], rate: float, seats: int) -> float:
    """By how much recorded pauses are to be divided, so that `seats` visitors make `rate` requests per second.

    0 where the recording has no pauses: then all go evenly.
    """
    mean = sum(pauses) / len(pauses) if pauses else 0.0
    return mean * rate / seats


class Crowd:
    """The visitors of the edge at `address` (host, port); `traffic` is asked again for each request."""

    def __init__(
        self,
        traffic: Callable[[], Traffic],
        arriving: Iterator[Visitor],
        address: tuple[str, int],
        on_answer: OnAnswer,
        random: Random,
        *,
        rate: float = RATE,
        seats: int = SEATS,
        stay: tuple[int, int] = STAY,
    ) -> None:
        self._traffic = traffic
        self._pauses = traffic().all.pauses
        self.speed = pace(self._pauses, rate, seats)
        self._arriving = arriving
        self._address = address
        self._on_answer = on_answer
        self._random = random
        self._even_pause = seats / rate
        self._seats = seats
        self._stay = stay
        self._leaving = asyncio.Event()

    async def run(self) -> None:
        """Until `leave`; what was asked then is answered yet."""
        async with asyncio.TaskGroup() as seats:
            for _ in range(self._seats):
                seats.create_task(self._seat())

    def leave(self) -> None:
        """Nobody asks anything more."""
        self._leaving.set()

    async def _seat(self) -> None:
        await self._pause(self._random.random() * self._even_pause * 2)  # they do not all come at once
        while not self._leaving.is_set():
            connection = Connection(*self._address)
            try:
                await self._visit(next(self._arriving), connection)
            finally:
                connection.close()

    async def _visit(self, visitor: Visitor, connection: Connection) -> None:
        for _ in range(self._random.randint(*self._stay)):
            await self._pause(self._next_pause())
            if self._leaving.is_set():
                return
            await self._ask(visitor, connection)

    async def _ask(self, visitor: Visitor, connection: Connection) -> None:
        request = draw(self._traffic(), visitor.actor, self._random)
        try:
            timed = await connection.ask(visitor.bytes_of(request, self._host))
        except ConnectionFailedError as error:
            self._on_answer(request, Verdict(Kind.EDGE_ERROR, f"{error.code}: {error}"), None)
            return
        visitor.keep_cookies(timed.answer)
        self._on_answer(request, judge(request.case, timed.answer), timed.seconds)

    @property
    def _host(self) -> str:
        return f"{self._address[0]}:{self._address[1]}"

    def _next_pause(self) -> float:
        if not self.speed:
            return self._even_pause
        return self._random.choice(self._pauses) / self.speed

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not past the time to leave."""
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._leaving.wait()
            except TimeoutError:
                return
