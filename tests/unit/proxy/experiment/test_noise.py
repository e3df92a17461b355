# SPDX-License-Identifier: AGPL-3.0-or-later
"""Volatile fields are found as noise, and a fault beside them, or in them, is still a finding."""

from __future__ import annotations

import random
import uuid
from datetime import date
from typing import Any

import pytest

from proxy.config.errors import Findings
from proxy.experiment.compare import Comparer
from proxy.experiment.judge import Rules
from proxy.experiment.noise import Noise, NoiseLearner, exceeds, lower_bound, propose
from proxy.experiment.outcome import Comparison, Kind, Outcome, Why
from proxy.experiment.rules import parse_rules
from proxy.experiment.values import ValueClass, classify
from tests.unit.proxy.experiment.pairs import answer, pair

STRICT = Comparer(Rules())
TODAY = date(2030, 1, 1)


def volatile(chance: random.Random, **more: Any) -> dict[str, Any]:
    """An answer with all sorts of volatile fields in one object; `more` replaces some."""
    order = [1, 2, 3, 4, 5, 6]
    chance.shuffle(order)
    content = {
        "at": f"2025-01-31T01:02:{chance.randrange(60):02}.{chance.randrange(1000):03}Z",
        "uuid": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "csrf": "".join(chance.choices("ABCDEFGHabcdefgh0123456789", k=32)),
        "digest": f"{chance.getrandbits(128):032x}",
        "url": f"https://files.example/a?signature={chance.getrandbits(64):016x}",
        "count": chance.randrange(10**9),
        "order": order,
        "steady": "open",
    }
    return {"polls": [{"id": 1, **content, **more}]}


def learned(pairs: int = 40, **fault: Any) -> NoiseLearner:
    chance = random.Random(5)
    learner = NoiseLearner()
    for _ in range(pairs):
        old = [answer(volatile(chance)) for _ in range(3)]
        learner.add("polls#show", STRICT.compare(pair(old[0], old[1])))
        learner.add_raw("polls#show", STRICT.compare(pair(old[2], answer(volatile(chance, **fault)))))
    return learner


def unexplained(learner: NoiseLearner, **fault: Any) -> list[str]:
    chance = random.Random(6)
    found = STRICT.compare(pair(answer(volatile(chance)), answer(volatile(chance, **fault))))
    return [one.field for one in found.findings if not learner.explains("polls#show", one)]


def test_volatile_fields_are_found_with_their_sort() -> None:
    noise = {one.field.rpartition("/")[2]: one for one in learned().fields()}
    sorts = {name: one.sort for name, one in noise.items()}
    assert sorts == {
        "at": "timestamp",
        "uuid": "uuid",
        "csrf": "token",
        "digest": "token",
        "url": "signed_url",
        "count": "number",
        "order": "ordering",
    }
    assert all(one.explains and one.pairs == 40 and one.confidence > 0.8 for one in noise.values())
    assert unexplained(learned()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steady", "closed"),
        ("at", None),
        ("at", "tomorrow"),
        ("uuid", 5),
        ("count", "many"),
        ("order", [1, 2, 3]),
        ("csrf", ""),
    ],
)
def test_a_fault_in_a_volatile_object_is_still_found(name: str, value: Any) -> None:
    learner = learned(**{name: value})
    fields = unexplained(learner, **{name: value})
    assert {field.removesuffix("/*").rpartition("/")[2] for field in fields} == {name}


def test_diffys_measure() -> None:
    assert exceeds(5, 100, 0, 0)
    assert not exceeds(0, 100, 0, 100)
    assert not exceeds(50, 100, 100, 100)
    assert not exceeds(14, 100, 10, 100)
    assert exceeds(16, 100, 10, 100)
    assert not exceeds(2, 10_000, 0, 10_000)
    assert exceeds(4, 10_000, 0, 10_000)
    assert exceeds(100, 100, 1, 10)


def test_confidence_grows_with_samples() -> None:
    assert lower_bound(0, 0) == 0
    assert 0 < lower_bound(1, 1) < lower_bound(10, 10) < lower_bound(1_000, 1_000) < 1


def test_what_could_not_be_compared_teaches_nothing() -> None:
    learner = NoiseLearner()
    learner.add("r", Comparison(Outcome.NOT_COMPARABLE, Why.RACED))
    assert learner.fields() == []


def test_memory_is_bounded() -> None:
    learner = NoiseLearner(most=3)
    one, other = ({f"name_{letter}": value for letter in "abcdefgh"} for value in (1, 2))
    learner.add("r", STRICT.compare(pair(answer(one), answer(other))))
    assert len(learner.fields()) == 3
    assert learner.dropped == 5


def test_noise_is_proposed_as_rules_that_work_and_end() -> None:
    learner = learned()
    text = "version: 1\nrules:\n" + propose(learner.fields(), "me", TODAY)
    loaded = parse_rules(text.encode(), Findings("f"), TODAY)
    assert loaded.errors == ()
    assert {rule.expires for rule in loaded.rules.declared} == {date(2030, 1, 31)}
    comparer = Comparer(loaded.rules)
    chance = random.Random(7)
    same = comparer.compare(pair(answer(volatile(chance)), answer(volatile(chance))))
    assert same.outcome is Outcome.MATCH_AFTER_NORMALIZING
    fault = comparer.compare(pair(answer(volatile(chance)), answer(volatile(chance, at="tomorrow"))))
    assert [one.field for one in fault.findings] == ["/body/polls/*/at"]


def test_a_change_of_type_is_never_proposed() -> None:
    noise = Noise("r", "/body/a", Kind.TYPE, "type", 100, 100, 100, 100, 0.96)
    assert noise.explains
    assert propose([noise], "me", TODAY) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ValueClass.NULL),
        (True, ValueClass.BOOLEAN),
        (1.5, ValueClass.NUMBER),
        ("2025-01-31T01:02:03.456Z", ValueClass.TIMESTAMP),
        ("2025-01-31 01:02:03 UTC", ValueClass.TIMESTAMP),
        ("Fri, 31 Jan 2025 01:02:03 GMT", ValueClass.TIMESTAMP),
        ("2025-01-31", ValueClass.DATE),
        ("0f8fad5b-d9cb-469f-a165-70867728950e", ValueClass.UUID),
        ("zoe@example.org", ValueClass.EMAIL),
        ("d41d8cd98f00b204e9800998ecf8427e", ValueClass.DIGEST),
        ("x7Kq2mPz9LwVt4Rb", ValueClass.TOKEN),
        ("time_poll", ValueClass.LABEL),
        ("/d/abc", ValueClass.URL),
        ("https://h/a?X-Amz-Signature=1", ValueClass.SIGNED_URL),
        ("Bring bread, please", ValueClass.TEXT),
        ("", ValueClass.EMPTY),
        ([], ValueClass.ARRAY),
        ({}, ValueClass.OBJECT),
    ],
)
def test_classes(value: Any, expected: ValueClass) -> None:
    assert classify(value) is expected
