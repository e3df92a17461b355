# SPDX-License-Identifier: AGPL-3.0-or-later
# ruff: noqa: RUF009 - key() is dataclasses.field() with metadata: nothing is shared between instances
"""The file of declared rules: how it is written, and what is wrong with it.

    version: 1
    rules:
      - name: rank-among-ties
        routes: ["polls#*"]
        fields: ["/body/polls/*/results/*/rank"]
        treat: same_type
        reason: Tied options take their rank from an order that nothing fixes.
        owner: api
        expires: 2027-12-31

Every error is told at once, with line, code and remedy, as for the routing file. A rule whose day is over is an error:
whoever owns it says again why it should stay, or takes it out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from proxy.config.errors import Code, ConfigError, Findings
from proxy.config.kinds import INVALID, Flag, Invalid, ListOf, OneOf, Text, Walk, Whole
from proxy.config.kinds import Path as KeyPath
from proxy.config.nodes import MOST_BYTES, START, Node, Scalar, read_nodes
from proxy.config.record import Record, key
from proxy.experiment.judge import Rule, Rules, Treat
from proxy.experiment.outcome import Severity

__all__ = ["LoadedRules", "Rule", "Rules", "RulesError", "Treat", "load_rules", "read_rules"]


class RulesError(Exception):
    """A rules file that cannot be used; `errors` are all that is wrong with it."""

    def __init__(self, errors: tuple[ConfigError, ...]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """What came of reading: the sound rules whose day is not over, and all that is wrong with the file."""

    rules: Rules
    errors: tuple[ConfigError, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """A day, written `2027-12-31`."""

    def read(self, node: Node, path: KeyPath, walk: Walk) -> date | Invalid:
        text = node.text if isinstance(node, Scalar) else ""
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            try:
                return date.fromisoformat(text)
            except ValueError:
                pass
        return walk.wrong(node, self.words())

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}

    def words(self) -> str:
        return "a day such as 2027-12-31"


@dataclass(frozen=True, slots=True)
class Bound:
    """How far apart two values may be: a number, or a duration such as `2s` or `1.5h` in seconds."""

    def read(self, node: Node, path: KeyPath, walk: Walk) -> float | Invalid:
        text = node.text if isinstance(node, Scalar) else ""
        found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)?", text)
        if found is None:
            return walk.wrong(node, self.words())
        return float(found[1]) * {"ms": 0.001, "m": 60, "h": 3600, "d": 86400}.get(found[2], 1)

    def schema(self) -> dict[str, Any]:
        return {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)?$"},
            ]
        }

    def words(self) -> str:
        return "a number, or a duration such as 2s"


def _check_pattern(text: str) -> str | None:
    try:
        re.compile(text)
    except re.error as error:
        return f"no regular expression: {error}"
    return None


_FIELD = Text(
    "a field such as /body/polls/*/title", r"/(?:status|headers|cookies|body)(?:/[^\x00-\x1f]*)?|/\*\*.*"
)


@dataclass(frozen=True, slots=True)
class _WrittenRule:
    name: str = key(
        Text("a name in lower case with dashes", r"[a-z0-9][a-z0-9-]{0,62}"), "Told where the rule applied."
    )
    fields: tuple[str, ...] = key(
        ListOf(_FIELD, 1), "Globs of fields: `*` stands for one step, `**` for any number."
    )
    treat: Treat = key(OneOf(Treat), "What is said about the fields.")
    reason: str = key(Text("a sentence", r"[^\x00]{10,}"), "Why the two sides may differ here.")
    owner: str = key(Text(), "Who answers for it.")
    expires: date = key(Day(), "The last day on which it holds.")
    routes: tuple[str, ...] = key(
        ListOf(Text(), 1), "Globs of routes' stable names; all where it is left out.", default=("*",)
    )
    within: float | None = key(Bound(), "For `number` and `time`: how far apart.", default=None)
    pattern: str | None = key(
        Text("a regular expression", check=_check_pattern), "For `masked`: what is taken out.", default=None
    )
    severity: Severity | None = key(OneOf(Severity), "For `severity`: how much it counts.", default=None)
    side_loaded: bool = key(
        Flag(), "Only lists beside the one that the answer is about (meta.root).", default=False
    )


@dataclass(frozen=True, slots=True)
class _WrittenRules:
    version: int = key(Whole(1, 1), "The version of this form.")
    rules: tuple[_WrittenRule, ...] = key(ListOf(Record(_WrittenRule, "a rule")), "The rules.")


_NEEDS = {
    Treat.NUMBER: "within",
    Treat.TIME: "within",
    Treat.MASKED: "pattern",
    Treat.SEVERITY: "severity",
}


def load_rules(path: Path, today: date, *, drop_expired: bool = False) -> Rules:
    """The rules in a file. Raises `RulesError` with all that is wrong with it, expired rules among it.

    With `drop_expired` a rule whose day is over is no error, but no rule either: for what runs at night, when an
    operator's check is long past.
    """
    loaded = read_rules(path, today)
    errors = tuple(one for one in loaded.errors if not (drop_expired and one.code is Code.EXPIRED_RULE))
    if errors:
        raise RulesError(errors)
    return loaded.rules


def read_rules(path: Path, today: date) -> LoadedRules:
    """Reads a file of rules and tells all that is wrong with it. Never raises for what it contains."""
    findings = Findings(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        findings.add(
            Code.FILE_UNREADABLE,
            START,
            f"the file cannot be read: {error.strerror or error}",
            "Check its name and permissions.",
        )
        return LoadedRules(Rules(), tuple(findings.found))
    return parse_rules(data, findings, today)


def parse_rules(data: bytes, findings: Findings, today: date) -> LoadedRules:
    """The rules in the bytes of a file."""
    walk = Walk(findings, {})
    node = read_nodes(data, findings)
    written = (
        INVALID if node is None else Record(_WrittenRules, "the file").read(node, (), walk, {"rules": ()})
    )
    rules: list[Rule] = []
    if isinstance(written, _WrittenRules):
        names: set[str] = set()
        for index, one in enumerate(written.rules):
            rule = _rule(one, _Place(index, findings, walk), names, today)
            if rule is not None:
                rules.append(rule)
    return LoadedRules(Rules(rules), tuple(sorted(findings.found)))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a rule stands, to note what is wrong with it."""

    index: int
    findings: Findings
    walk: Walk

    def is_written(self, name: str) -> bool:
        return self.walk.is_written(("rules", self.index, name))

    def wrong(self, name: str, code: Code, message: str, remedy: str) -> None:
        self.findings.add(code, self.walk.place(("rules", self.index, name)), message, remedy)


def _rule(one: _WrittenRule, place: _Place, names: set[str], today: date) -> Rule | None:
    """The rule that runs, or None: it contradicts itself, or its day is over (noted either way)."""
    if one.name in names:
        place.wrong(
            "name", Code.DUPLICATE_KEY, f"another rule is named {one.name}", "Give it a name of its own."
        )
    names.add(one.name)
    needed = _NEEDS.get(one.treat)
    if needed is not None and getattr(one, needed) is None:
        # One that is written and could not be read is noted already.
        if not place.is_written(needed):
            place.wrong(
                "treat",
                Code.MISSING_KEY,
                f"`treat: {one.treat}` needs {needed!r}",
                f"Add `{needed}:` to the rule.",
            )
        return None
    for name in ("within", "pattern", "severity"):
        if getattr(one, name) is not None and name != needed:
            place.wrong(
                name,
                Code.UNKNOWN_KEY,
                f"`treat: {one.treat}` has no use for {name!r}",
                "Take the key out, or treat the field otherwise.",
            )
    if one.expires < today:
        place.wrong(
            "expires",
            Code.EXPIRED_RULE,
            f"the rule {one.name} ended on {one.expires} (owner: {one.owner})",
            "Take the rule out; or let its owner say again why it should stay, and until when.",
        )
        return None
    return Rule(
        one.name,
        one.routes,
        one.fields,
        one.treat,
        one.reason,
        one.owner,
        one.expires,
        within=one.within or 0.0,
        pattern=one.pattern or "",
        severity=one.severity or Severity.ERR,
        side_loaded=one.side_loaded,
    )
