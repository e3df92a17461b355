# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a run of a recorded write did what was recorded: answers, rows, messages, keys, mails, posts. Pure.

New rows are paired by what they say, which tells the ids that shifted; with those translated, everything is laid
beside the recording by the one engine, under the case's own rules. Messages are paired per room, mails per recipient:
the order among rooms and recipients is no part of the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from contracts.compare import Answer, Expectation
from contracts.compare.allowance import Allowance, worded
from contracts.corpus import Message, TableEffect, Write
from contracts.judge import moved
from contracts.verify.ids import Ids
from contracts.verify.mailfacts import Mail
from contracts.verify.pairing import Pairing, pair
from proxy.experiment.diff import Fact, Place, place_of, walk
from proxy.experiment.outcome import Difference, Kind

_ROUNDS = 4
"""How often rows are paired anew with the ids that the last pairing told."""

_EXTRA = "-"
"""The place in a list of what the recording does not have."""


class Own(msgspec.Struct, frozen=True):
    """What a run did. `answers`: one per step; for the work of a clock, its exit code."""

    answers: tuple[Answer | int, ...]
    rows: dict[str, TableEffect]
    messages: tuple[Message, ...]
    keys: dict[str, dict[str, Any]]
    mails: tuple[Mail, ...]
    outgoing: tuple[dict[str, Any], ...]


class Expected:
    """A recorded write, prepared. Worth keeping where a run is compared more than once."""

    def __init__(self, case: Write) -> None:
        links = [f"/mails/{place}/urls" for place in range(len(case.mails))]
        self._case = case
        # The links of a mail come in any order, whatever the texts around them.
        self._allowance = Allowance(case.noise, [*case.unordered, *links])
        self._line = worded(
            {
                "rows": _plain(case.rows),
                "redis": _plain(case.redis),
                "mails": _plain(case.mails),
                "outgoing": _plain([_post(post) for post in case.outgoing]),
            }
        )
        self._answers = [
            Expectation(step.response, _below(case.noise, number), _below(case.unordered, number))
            for number, step in enumerate(case.steps)
        ]

    def differences(self, own: Own) -> list[Difference]:
        """Every difference in meaning, by pointer from the root of the recorded line."""
        ids, paired = self.pair_rows(own.rows)
        facts = [
            *self._in_rows(own, ids, paired),
            *self._in_messages(own, ids),
            *self._in_keys(own),
            *self._in_mails(own, ids),
            *self._in_outgoing(own, ids),
        ]
        counted = self._allowance.judge(facts, self._line)
        return [*self._in_steps(own, ids), *(fact.difference() for fact in counted)]

    def pair_rows(self, rows: dict[str, TableEffect]) -> tuple[Ids, dict[str, Pairing]]:
        """Which new row is which recorded one, and the ids that follow from that."""
        ids = Ids({})
        paired: dict[str, Pairing] = {}
        for _ in range(_ROUNDS):
            paired = {
                table: self._pair_inserted(table, _inserted(rows, table), ids) for table in self._line["rows"]
            }
            told = Ids(
                {table: self._told(table, _inserted(rows, table), found) for table, found in paired.items()}
            )
            if told == ids:
                break
            ids = told
        return ids, paired

    def _recorded(self, table: str, what: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._line["rows"].get(table, {}).get(what, [])
        return found

    def _told(self, table: str, own: list[dict[str, Any]], pairing: Pairing) -> dict[int, int]:
        recorded = self._recorded(table, "insert")
        return {
            own[other]["id"]: recorded[place]["id"]
            for place, other in pairing.pairs
            if isinstance(own[other].get("id"), int)
        }

    def _pair_inserted(self, table: str, own: list[dict[str, Any]], ids: Ids) -> Pairing:
        recorded = self._recorded(table, "insert")
        translated = [ids.translated(row, table) for row in own]

        def distance(place: int, other: int) -> int:
            found = walk(
                recorded[place], translated[other], place_of("rows", table, "insert", place), self._allowance
            )
            return len({fact.pointer for fact in found if not self._allowance.accepts(fact)})

        return pair(recorded, translated, distance)

    def _in_steps(self, own: Own, ids: Ids) -> list[Difference]:
        """Answers, as reads are compared."""
        found: list[Difference] = []
        for number, (step, answer) in enumerate(zip(self._case.steps, own.answers, strict=False)):
            at = f"/steps/{number}/response"
            if isinstance(answer, int):
                if answer != step.response.status:
                    found.append(Difference(f"{at}/status", Kind.STATUS, step.response.status, answer))
            else:
                differences = self._answers[number].differences(_translated(answer, ids))
                found += moved(differences, at)
        return found

    def _in_rows(self, own: Own, ids: Ids, paired: dict[str, Pairing]) -> list[Fact]:
        """Effects on rows: new ones by what they say, others by their keys."""
        found: list[Fact] = []
        for table in sorted(self._line["rows"].keys() | own.rows.keys()):
            effect: dict[str, list[dict[str, Any]]] = _plain(own.rows.get(table, TableEffect()))
            mine = {
                what: ids.translated(effect.get(what, []), table) for what in ("insert", "update", "delete")
            }
            pairings = {
                "insert": paired.get(table) or Pairing([], [], list(range(len(mine["insert"])))),
                "update": _by(lambda row: row["key"], self._recorded(table, "update"), mine["update"]),
                "delete": _by(
                    lambda row: row.get("id", row), self._recorded(table, "delete"), mine["delete"]
                ),
            }
            for what, pairing in pairings.items():
                where = place_of("rows", table, what)
                found += self._laid(where, self._recorded(table, what), mine[what], pairing)
        return found

    def _in_messages(self, own: Own, ids: Ids) -> list[Fact]:
        """What was published, per channel and room, in order."""
        mine = [ids.translated(_plain(message)) for message in own.messages]
        return self._grouped(place_of("redis", "messages"), self._line["redis"]["messages"], mine, _room)

    def _in_keys(self, own: Own) -> list[Fact]:
        """The keys that are left. Of those whose names are chance, one goes for another of its kind."""
        recorded, mine = dict(self._line["redis"]["keys"]), dict(own.keys)
        place = place_of("redis", "keys")
        for name in [name for name in recorded if name not in mine]:
            kind = name.rpartition("/")[0]
            like = next(
                (other for other in mine if other not in recorded and other.rpartition("/")[0] == kind), None
            )
            if like is not None and self._allowance.accepts(Fact((place, name), Kind.VALUE)):
                del recorded[name], mine[like]
        return walk(recorded, mine, place, self._allowance)

    def _in_mails(self, own: Own, ids: Ids) -> list[Fact]:
        """Mails, per recipient."""
        recorded = self._line["mails"]
        # What a mail has to contain is looked for when it is known which recorded one it is.
        found: list[Fact] = []
        for places, others in _groups(recorded, own.mails, _recipient, lambda mail: mail.recipients):
            found += self._among(
                place_of("mails"),
                recorded,
                places,
                [own.mails[other] for other in others],
                lambda mail, like: ids.translated(mail.beside(like)),
            )
        return found

    def _in_outgoing(self, own: Own, ids: Ids) -> list[Fact]:
        """Posts to web hooks, per path, in order."""
        mine = [ids.translated(_post(post)) for post in own.outgoing]
        return self._grouped(place_of("outgoing"), self._line["outgoing"], mine, lambda post: post["path"])

    def _grouped(
        self,
        where: Place,
        recorded: list[dict[str, Any]],
        own: list[dict[str, Any]],
        group: Callable[[dict[str, Any]], Any],
    ) -> list[Fact]:
        found: list[Fact] = []
        for places, others in _groups(recorded, own, group, group):
            mine = [own[other] for other in others]
            found += self._among(where, recorded, places, mine, lambda one, _: one, ordered=True)
        return found

    def _among(
        self,
        where: Place,
        recorded: list[dict[str, Any]],
        places: list[int],
        own: Sequence[Any],
        shown: Callable[[Any, dict[str, Any]], Any],
        *,
        ordered: bool = False,
    ) -> list[Fact]:
        """Those of one group, whose recorded ones stand at `places`."""

        def walked(place: int, other: int) -> list[Fact]:
            like = recorded[places[place]]
            return walk(like, shown(own[other], like), (where, places[place]), self._allowance)

        pairing = pair(
            places, own, lambda *pair: sum(not self._allowance.accepts(fact) for fact in walked(*pair))
        )
        found = [fact for pair in pairing.pairs for fact in walked(*pair)]
        found += [
            Fact((where, places[place]), Kind.MISSING, recorded[places[place]]) for place in pairing.missing
        ]
        found += [Fact((where, _EXTRA), Kind.EXTRA, None, shown(own[other], {})) for other in pairing.extra]
        if ordered and not pairing.in_order:
            found.append(Fact(where, Kind.ORDER, places, [other for _, other in pairing.pairs]))
        return found

    def _laid(self, where: Place, recorded: list[Any], own: list[Any], pairing: Pairing) -> list[Fact]:
        found: list[Fact] = []
        for place, other in pairing.pairs:
            found += walk(recorded[place], own[other], (where, place), self._allowance)
        found += [Fact((where, place), Kind.MISSING, recorded[place]) for place in pairing.missing]
        found += [Fact((where, _EXTRA), Kind.EXTRA, None, own[other]) for other in pairing.extra]
        return found


def _inserted(rows: dict[str, TableEffect], table: str) -> list[dict[str, Any]]:
    return rows[table].insert if table in rows else []


def _translated(answer: Answer, ids: Ids) -> Answer:
    """An answer with the recording's ids, where ids shifted at all; only JSON can be translated."""
    if not ids.shifted:
        return answer
    headers = [
        (name, ids.translated(value) if name.lower() == "location" else value)
        for name, value in answer.headers
    ]
    try:
        body = msgspec.json.encode(ids.translated(msgspec.json.decode(answer.body)))
    except msgspec.DecodeError:
        body = answer.body
    return Answer(answer.status, headers, body)


def _below(pointers: Sequence[str], step: int) -> tuple[str, ...]:
    """The pointers of a step's answer, as they would stand in the line of a read."""
    at = f"/steps/{step}/response/"
    return tuple(f"/response/{pointer[len(at) :]}" for pointer in pointers if pointer.startswith(at))


def _by(key: Callable[[Any], Any], recorded: Sequence[Any], own: Sequence[Any]) -> Pairing:
    """Pairs those with the same key."""
    places = {_written(key(one)): place for place, one in enumerate(own)}
    pairs, missing = [], []
    for place, one in enumerate(recorded):
        other = places.pop(_written(key(one)), None)
        if other is None:
            missing.append(place)
        else:
            pairs.append((place, other))
    return Pairing(pairs, missing, sorted(places.values()))


def _written(key: Any) -> bytes:
    return msgspec.json.encode(key, order="sorted")


def _groups(
    recorded: Sequence[Any], own: Sequence[Any], group: Callable[[Any], Any], own_group: Callable[[Any], Any]
) -> list[tuple[list[int], list[int]]]:
    found: dict[Any, tuple[list[int], list[int]]] = {}
    for place, one in enumerate(recorded):
        found.setdefault(group(one), ([], []))[0].append(place)
    for other, one in enumerate(own):
        found.setdefault(own_group(one), ([], []))[1].append(other)
    return list(found.values())


def _room(message: dict[str, Any]) -> tuple[str, Any]:
    data = message["data"]
    return message["channel"], data.get("room") if isinstance(data, dict) else None


def _recipient(mail: dict[str, Any]) -> tuple[str, ...]:
    return tuple(mail["headers"]["x-envelope-to"])


def _plain(value: Any) -> Any:
    """As JSON has it: lists, where Python has tuples."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _post(told: dict[str, Any]) -> dict[str, Any]:
    """A post to a web hook; media types have no case, and white space there means nothing."""
    return {**told, "content-type": told["content-type"].lower().replace(" ", "")}
