# SPDX-License-Identifier: AGPL-3.0-or-later
"""YAML text → nodes that know their line and column, within bounds, whatever the bytes.

PyYAML's events are turned into our own three node types instead of Python values, because values have lost their
place, a duplicate key has silently won, and YAML 1.1 has read `on` as a boolean and `010` as eight. Scalars are
resolved by YAML 1.2's rules, which editors follow too. Anchors and aliases work; their expansion is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from proxy.config.errors import Code, Findings, Position

MOST_BYTES = 2_000_000
MOST_NODES = 200_000
DEEPEST = 40

START = Position(1, 1)

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z|[-+]?\.(?:inf|nan)\Z")


_CORE = "tag:yaml.org,2002:"
_READ_AS_PLAIN = frozenset(f"{_CORE}{name}" for name in ("int", "float", "bool", "null"))
_TAGS = _READ_AS_PLAIN | {None, "!", f"{_CORE}str", f"{_CORE}map", f"{_CORE}seq"}
"""Tags that YAML's core schema has; others would ask for objects."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text; `plain` when it was written without quotes and so may be a number, a boolean or null."""

    at: Position
    text: str
    plain: bool

    def value(self) -> str | int | float | bool | None:
        """The value by YAML 1.2's core schema."""
        if not self.plain:
            return self.text
        if self.text in ("", "~", "null", "Null", "NULL"):
            return None
        if self.text in ("true", "True", "TRUE"):
            return True
        if self.text in ("false", "False", "FALSE"):
            return False
        if _INTEGER.match(self.text):
            # Python refuses to read a number of thousands of digits; infinity says "too large" all the same.
            return int(self.text) if len(self.text) < 100 else float("inf")
        if _FLOAT.match(self.text):
            return float(self.text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        return self.text


@dataclass(frozen=True, slots=True)
class Listing:
    """A YAML sequence."""

    at: Position
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """A YAML mapping, duplicates and all, in the order of the file."""

    at: Position
    pairs: tuple[tuple[Node, Node], ...]


Node = Scalar | Listing | Mapping


class _TooComplexError(Exception):
    """Deeper or larger than anybody needs."""

    def __init__(self, at: Position) -> None:
        self.at = at


class _NotOneDocumentError(Exception):
    """YAML, but more of it than one document, or with an alias of nothing."""

    def __init__(self, at: Position, message: str) -> None:
        super().__init__(message)
        self.at = at


def read_nodes(data: bytes, findings: Findings) -> Node | None:
    """The document in `data`, or None with a finding. Never raises, whatever the bytes."""
    if len(data) > MOST_BYTES:
        findings.add(
            Code.FILE_TOO_LARGE,
            START,
            f"the file has {len(data)} bytes, more than {MOST_BYTES}",
            "Is this the right file? Routing files are small.",
        )
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        place = Position(before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1)
        findings.add(Code.NOT_UTF8, place, "this byte is not UTF-8", "Save the file as UTF-8.")
        return None
    try:
        return _Composer(text).document()
    except _TooComplexError as error:
        findings.add(
            Code.TOO_COMPLEX,
            error.at,
            f"the file nests deeper than {DEEPEST} levels or holds more than {MOST_NODES} values",
            "Simplify it; look for aliases that repeat each other.",
        )
    except _NotOneDocumentError as error:
        findings.add(
            Code.YAML_SYNTAX,
            error.at,
            f"not YAML: {error}",
            "Keep one document of plain YAML; define what you refer to.",
        )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = START if mark is None else Position(mark.line + 1, mark.column + 1)
        said = " ".join(part for part in (error.context, error.problem) if part)
        is_tab = mark is not None and text[mark.index : mark.index + 1] == "\t"
        findings.add(
            Code.YAML_SYNTAX,
            place,
            f"not YAML: {said}",
            "Indent with spaces: YAML takes no tabs here."
            if is_tab
            else "Check indentation, quotes and brackets here.",
        )
    except yaml.YAMLError as error:
        place = _place_of_character(text, getattr(error, "position", 0))
        findings.add(
            Code.YAML_SYNTAX,
            place,
            "not YAML: a character that YAML does not allow",
            "Remove the control character.",
        )
    return None


def _place_of_character(text: str, index: int) -> Position:
    """Line and column of a character offset."""
    before = text[:index]
    return Position(before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)


def _place(event: yaml.Event) -> Position:
    """Where an event begins."""
    mark = event.start_mark
    return START if mark is None else Position(mark.line + 1, mark.column + 1)


class _Composer:
    """Builds nodes from events."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_Loader)
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._count = 0

    def document(self) -> Node:
        next(self._events)  # the stream begins
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return Scalar(START, "", True)
        node = self._node(next(self._events), 0)
        next(self._events)  # the document ends
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise _NotOneDocumentError(_place(event), "a second document begins")
        return node

    def _node(self, event: yaml.Event, depth: int) -> Node:
        at = _place(event)
        before = self._count
        self._count += 1
        if depth > DEEPEST or self._count > MOST_NODES:
            raise _TooComplexError(at)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, at)
        if (tag := getattr(event, "tag", None)) not in _TAGS:
            raise _NotOneDocumentError(at, f"the tag {tag} means nothing here")
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = Scalar(at, event.value, event.tag in _READ_AS_PLAIN if event.tag else event.implicit[0])
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Listing(at, tuple(self._until(yaml.SequenceEndEvent, depth)))
        else:
            flat = list(self._until(yaml.MappingEndEvent, depth))
            node = Mapping(at, tuple(zip(flat[::2], flat[1::2], strict=True)))
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = (node, self._count - before)
        return node

    def _alias(self, event: yaml.AliasEvent, at: Position) -> Node:
        if event.anchor not in self._anchors:
            raise _NotOneDocumentError(at, f"the alias *{event.anchor} stands for nothing")
        node, size = self._anchors[event.anchor]
        self._count += size
        if self._count > MOST_NODES:
            raise _TooComplexError(at)
        return node

    def _until(self, end: type[yaml.Event], depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), end):
            yield self._node(event, depth + 1)
