# SPDX-License-Identifier: AGPL-3.0-or-later
"""Recorded requests as somebody would send them, and the pace at which people do.

`recorded_requests` makes every recorded read ready to be sent. `Mix` takes from the journeys of real browsers
how often each endpoint is asked and how long the pauses are, and draws from the reads accordingly: the journeys'
own requests were recorded without answers, so they set the proportions, not the requests.

Everything here is pure; chance is a parameter.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby, pairwise
from random import Random
from typing import NamedTuple

import msgspec

from contracts.corpus import DEFAULT_ACCEPT, Corpus, Read, Step
from contracts.notation import marker_of

_REST_WEIGHT = 1
"""How often an endpoint is asked that no journey touched, beside those counted in journeys."""


class ReadyRequest(msgspec.Struct, frozen=True):
    """A recorded read, ready to be sent to any server: `headers` do not name the host.

    `case` is what was recorded, for `contracts.compare`.
    """

    case: Read
    headers: tuple[tuple[str, str], ...]

    @property
    def actor(self) -> str:
        """Who asks: a name of `world.json` or `anonymous`."""
        return self.case.actor

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.case.request.method

    @property
    def target(self) -> str:
        """Path and query, as they go over the wire."""
        return self.case.request.path

    def head(self, host: str, *more: tuple[str, str]) -> bytes:
        """The bytes to send, with further headers where wanted."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in (*self.headers, *more)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def ready(case: Read, cookies: dict[str, str]) -> ReadyRequest:
    """A recorded read with the headers and cookies that it was recorded with."""
    headers = list(case.request.headers.items())
    if not case.request.header("accept"):
        headers.insert(0, ("Accept", DEFAULT_ACCEPT))
    if cookies:
        headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
    return ReadyRequest(case, tuple(headers))


def recorded_requests(corpus: Corpus) -> Iterator[ReadyRequest]:
    """Every recorded read, in file order."""
    for case in corpus.reads():
        yield ready(case, corpus.sessions.get(case.actor, {}))


def lacks_its_file(case: Read, stored: Mapping[str, bytes]) -> bool:
    """Whether the answer is a file that the corpus does not hold (`stored` has those that it does, by digest)."""
    if b"$binary" not in bytes(case.response.body):
        return False
    body = case.response.parsed_body()
    return marker_of(body) == "$binary" and body["$binary"]["sha256"] not in stored


class Visit(NamedTuple):
    """One request of a simulated person, after a pause of so many seconds."""

    pause: float
    request: ReadyRequest


class Mix:
    """Proportions and pauses of real use, applied to the requests that were recorded."""

    def __init__(self, requests: Iterable[ReadyRequest], journeys: Sequence[Step]) -> None:
        """Without journeys, every endpoint is asked as often, without pauses."""
        by_actor: dict[str, dict[str, list[ReadyRequest]]] = defaultdict(lambda: defaultdict(list))
        for request in requests:
            by_actor[request.actor][request.case.endpoint].append(request)
        self._by_actor = {actor: dict(endpoints) for actor, endpoints in by_actor.items()}
        self.weights = endpoint_weights(
            [
                request.case
                for endpoints in by_actor.values()
                for cases in endpoints.values()
                for request in cases
            ],
            journeys,
        )
        self.pauses = pauses(journeys) or [0.0]
        self._cumulated = {
            actor: list(accumulate(self.weights[endpoint] for endpoint in endpoints))
            for actor, endpoints in self._by_actor.items()
        }

    @property
    def actors(self) -> list[str]:
        """Who has recorded requests, those with the most first."""
        totals = {actor: sum(map(len, endpoints.values())) for actor, endpoints in self._by_actor.items()}
        return sorted(totals, key=lambda actor: -totals[actor])

    def draw(self, actor: str, random: Random) -> ReadyRequest:
        """One request of `actor`: an endpoint by its weight, then any of its recorded requests."""
        cumulated = self._cumulated[actor]
        index = bisect(cumulated, random.random() * cumulated[-1])
        endpoints = list(self._by_actor[actor].values())
        return random.choice(endpoints[min(index, len(endpoints) - 1)])

    def visits(self, actor: str, random: Random) -> Iterator[Visit]:
        """What a person who is `actor` does, without end. Divide the pauses to speed things up."""
        while True:
            yield Visit(random.choice(self.pauses), self.draw(actor, random))


def endpoint_weights(cases: Sequence[Read], journeys: Sequence[Step]) -> dict[str, int]:
    """How often journeys asked each endpoint of `cases`; 1 for those that they did not touch."""
    weights = dict.fromkeys((case.endpoint for case in cases), 0)
    endpoint_of = _Routes(cases)
    counts = Counter(endpoint_of(step.path.partition("?")[0]) for step in journeys if step.method == "GET")
    return {endpoint: counts[endpoint] or _REST_WEIGHT for endpoint in weights}


def pauses(journeys: Iterable[Step]) -> list[float]:
    """The times between requests within a step, in seconds; zero where they went out together."""
    found: list[float] = []
    for _, steps in groupby(journeys, key=lambda step: (step.journey, step.actor, step.step)):
        moments = sorted(step.at_ms for step in steps)
        found += [(after - before) / 1000 for before, after in pairwise(moments)]
    return found


class _Routes:
    """Finds the endpoint of a path by the routes of recorded cases; literal segments win over parameters."""

    def __init__(self, cases: Iterable[Read]) -> None:
        patterns = dict.fromkeys((case.route, case.endpoint) for case in cases)
        ranked = sorted(patterns, key=lambda pair: (pair[0].count("*"), pair[0].count(":"), -len(pair[0])))
        self._patterns = [(re.compile(_pattern(route)), endpoint) for route, endpoint in ranked]

    def __call__(self, path: str) -> str | None:
        return next((endpoint for pattern, endpoint in self._patterns if pattern.fullmatch(path)), None)


def _pattern(route: str) -> str:
    """A route in Rails notation as a regular expression: `:name`, `*glob` and optional parts in parentheses."""
    pattern = ""
    for piece in re.findall(r":\w+|\*\w*|[()]|[^:*()]+", route):
        if piece[0] == ":":
            pattern += "[^/]+"
        elif piece[0] == "*":
            pattern += ".+"
        elif piece == "(":
            pattern += "(?:"
        elif piece == ")":
            pattern += ")?"
        else:
            pattern += re.escape(piece)
    return pattern
