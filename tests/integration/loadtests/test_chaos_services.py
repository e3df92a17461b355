# SPDX-License-Identifier: AGPL-3.0-or-later
"""The chaos run of the services, short: every claim but those about time."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from contracts.corpus import Corpus
from loadtests.chaos_services.load import DATABASE, NOTHING
from loadtests.chaos_services.phases import PHASES, compared, judged, run
from loadtests.chaos_services.work import Writer


async def test_nothing_is_lost_stuck_or_answered_wrongly_whatever_breaks(corpus: Corpus) -> None:
    told: list[str] = []
    result = await run(corpus, seconds=1.3, workers=1, clients=4, calm=0.2, say=told.append)
    assert result.wrong == []
    assert len(told) == len(result.phases) == len(PHASES)
    assert result.held > 0
    assert result.unsure > 0  # PostgreSQL really was away
    away = {phase.name: phase.answers for phase in result.phases}
    assert away["PostgreSQL is stopped, then started"][DATABASE]["503"] > 0
    assert away["Redis is stopped, then started"]["database+redis"]["503"] > 0


def test_answers_are_judged_by_what_they_need() -> None:
    answers = {NOTHING: Counter({"200": 3, "503": 1}), DATABASE: Counter({"503": 2, "503!": 1, "500": 1})}
    assert judged(answers, frozenset((DATABASE,))) == [
        "nothing: 503 1 times",
        "database: 503! 1 times",
        "database: 500 1 times",
    ]


def test_what_held_must_be_seen_and_nothing_else() -> None:
    writer = Writer(cast(Any, None), held={1, 2, 3}, unsure={4, 5})
    assert compared(Counter({1: 1, 2: 2, 4: 1, 9: 1}), writer) == (1, 1, 1)
