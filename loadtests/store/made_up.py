# SPDX-License-Identifier: AGPL-3.0-or-later
"""Comparisons as a month of use would bring them; the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from proxy.experiment.compare import fingerprint
from proxy.experiment.observation import Asked, Observation, Pair
from proxy.experiment.outcome import Comparison, Difference, Finding, Kind, Outcome, Severity, Why

ROUTES = 300
FIELDS = 40
"""Fields of a route that may differ."""
DAYS = 30
BUILDS = 20
ROLES = ("signed_in",) * 8 + ("anonymous", "guest_token")
KEYS = (
    "from",
    "per",
    "order",
    "group_id",
    "exclude_types",
    "status",
    "since",
    "until",
    "query_type",
    "parent_id",
)
HEADERS = (
    ("Accept", "application/json"),
    ("Cookie", "_loomio_session=hush"),
    ("X-Requested-With", "XMLHttpRequest"),
)


def comparisons(count: int, ends: float, seed: int = 6) -> Iterator[tuple[Pair, Comparison]]:
    """So many, in order of time, over the `DAYS` before `ends` (seconds since 1970)."""
    chance = random.Random(seed)
    routes = [f"{name}{number}#{action}" for number in range(ROUTES // 4) for name, action in _ACTIONS]
    weights = [1 / (place + 1) for place in range(len(routes))]
    begins = ends - DAYS * 86_400
    chosen: Iterator[str] = iter(())
    for number in range(count):
        if number % 10_000 == 0:
            chosen = iter(chance.choices(routes, weights, k=10_000))
        share = number / count
        route = next(chosen)
        yield (
            _pair(chance, route, begins + share * DAYS * 86_400, f"build-{int(share * BUILDS)}"),
            _verdict(chance, route),
        )


_ACTIONS = (("discussions", "index"), ("discussions", "show"), ("polls", "index"), ("polls", "show"))


def _pair(chance: random.Random, route: str, at: float, build: str) -> Pair:
    names = sorted(chance.sample(KEYS, chance.randrange(4)))
    query = "&".join(f"{name}={chance.randrange(1000)}" for name in names)
    asked = Asked("GET", f"/api/v1/{route.partition('#')[0]}?{query}", HEADERS, chance.choice(ROLES))
    control, candidate = Observation("legacy", 200), Observation("python", 200, build=build)
    side = chance.choice(("legacy", "python"))
    return Pair(f"{at:.6f}", route, f"group-{len(route) % 9}", 7, at, asked, control, candidate, side)


def _verdict(chance: random.Random, route: str) -> Comparison:
    drawn = chance.random()
    if drawn < 0.9:
        return Comparison(Outcome.MATCH if drawn < 0.8 else Outcome.MATCH_AFTER_NORMALIZING)
    if drawn < 0.95:
        return Comparison(Outcome.NOT_COMPARABLE, chance.choice((Why.RACED, Why.NOT_MODIFIED, Why.BUDGET)))
    return Comparison(
        Outcome.MISMATCH, findings=tuple(_finding(chance, route) for _ in range(chance.randint(1, 4)))
    )


def _finding(chance: random.Random, route: str) -> Finding:
    number = min(int(chance.expovariate(0.15)), FIELDS - 1)
    kind = (Kind.VALUE, Kind.MISSING, Kind.TYPE)[number % 3]
    field = f"/body/records/*/field_{number}/part"
    record = {
        "id": chance.randrange(10**6),
        "name": "x" * 60,
        "list": list(range(20)),
        "at": "2026-01-01T00:00:00Z",
    }
    return Finding(
        fingerprint(route, field, kind),
        field,
        Difference(field.replace("*", "3"), kind, record, {**record, "id": 0}),
        (Severity.ERR, Severity.WARN)[number % 2],
    )
