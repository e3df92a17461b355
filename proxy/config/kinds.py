# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a value in a configuration file may be.

A `Kind` reads a node into a value, noting what is wrong with it, and says the same in JSON Schema. Keys are declared
once, with their kind, in `written.py`; reading, the schema and the documentation all follow from there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_network
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from proxy.config.errors import Code, Findings, Position
from proxy.config.nodes import Listing, Node, Scalar
from proxy.config.nodes import Mapping as MappingNode

Path = tuple[str | int, ...]
"""Where a value stands: keys and list indexes from the root."""


class Invalid:
    """The value of a node that could not be read; the finding is already noted."""


INVALID: Final = Invalid()


@dataclass(slots=True)
class Walk:
    """What readers share: where to note findings, the environment, and the place of every value read."""

    findings: Findings
    environ: Mapping[str, str]
    require_variables: bool = True
    places: dict[Path, Position] = field(default_factory=dict)

    def wrong(self, node: Node, wanted: str) -> Invalid:
        """Note that `node` is of another type than `wanted`."""
        self.findings.add(
            Code.WRONG_TYPE, node.at, f"expected {wanted}, found {describe(node)}", f"Write {wanted}."
        )
        return INVALID

    def is_written(self, path: Path) -> bool:
        """Whether there is something at `path`, even if it could not be read."""
        return path in self.places

    def is_sound(self, path: Path) -> bool:
        """Whether nothing was noted at `path` itself."""
        place = self.places.get(path)
        return all((one.line, one.column) != place for one in self.findings.found)

    def place(self, path: Path) -> Position:
        """Where the value at `path` stands, else the nearest value around it."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, Position(1, 1))


def describe(node: Node) -> str:
    """A node in words, for messages."""
    if isinstance(node, Listing):
        return "a list"
    if isinstance(node, MappingNode):
        return "a mapping"
    value = node.value()
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the truth value {node.text}"
    if isinstance(value, int | float):
        return f"the number {shorten(node.text)}"
    return f"the text {shorten(node.text)!r}"


def shorten(text: str) -> str:
    """At most 60 characters of it."""
    return text if len(text) <= 60 else text[:57] + "…"


class Kind(Protocol):
    """One kind of value."""

    def read(self, node: Node, path: Path, walk: Walk) -> Any:
        """The value, or INVALID with a finding noted."""

    def schema(self) -> dict[str, Any]:
        """The kind in JSON Schema (draft 2020-12)."""

    def words(self) -> str:
        """The kind in a few words, with article: `a whole number from 0 to 99`."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string; `${NAME}` in it is replaced from the environment where `variables` is set.

    `bare`: what YAML takes for a number counts as its text (ids).
    """

    what: str = "a text"
    pattern: str = r"[^\x00-\x1f\x7f]+"
    variables: bool = False
    bare: bool = False
    check: Callable[[str], str | None] | None = None
    code: Code = Code.BAD_VALUE

    def read(self, node: Node, path: Path, walk: Walk) -> str | Invalid:
        if not isinstance(node, Scalar) or not self._is_text(node.value()):
            return walk.wrong(node, self.what)
        text: str | None = node.text
        if self.variables:
            text = _expand(node, walk)
            if text is None:
                return INVALID
        assert text is not None  # noqa: S101 - for the type checker: None only where variables are expanded
        complaint = None if re.fullmatch(self.pattern, text) else f"{shorten(text)!r} is not {self.what}"
        if complaint is None and self.check is not None:
            complaint = self.check(text)
        if complaint is not None:
            walk.findings.add(self.code, node.at, complaint, f"Write {self.what}.")
            return INVALID
        return text

    def _is_text(self, value: object) -> bool:
        return isinstance(value, str) or (
            self.bare and isinstance(value, int | float) and not isinstance(value, bool)
        )

    def schema(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"type": ["string", "number"] if self.bare else "string"}
        return plain if self.variables else plain | {"pattern": f"^(?:{self.pattern})$"}

    def words(self) -> str:
        return self.what


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

PLACEHOLDER = "http://unset.invalid"
"""Stands for an unset variable where the caller does not need its value (`plan`, `explain`)."""


def _expand(node: Scalar, walk: Walk) -> str | None:
    """Replace `${NAME}`; None with a finding where NAME is not set."""
    unset = [name for name in _VARIABLE.findall(node.text) if name not in walk.environ]
    if unset and walk.require_variables:
        for name in unset:
            walk.findings.add(
                Code.UNSET_VARIABLE,
                node.at,
                f"${{{name}}} is not set in the environment",
                f"Set it before the edge starts, for example {name}=http://127.0.0.1:3000.",
            )
        return None
    if unset:
        return PLACEHOLDER
    return _VARIABLE.sub(lambda found: walk.environ[found[1]], node.text)


@dataclass(frozen=True, slots=True)
class Flag:
    """`true` or `false`."""

    def read(self, node: Node, path: Path, walk: Walk) -> bool | Invalid:
        value = node.value() if isinstance(node, Scalar) else None
        return value if isinstance(value, bool) else walk.wrong(node, self.words())

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def words(self) -> str:
        return "true or false"


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds."""

    least: int
    most: int

    def read(self, node: Node, path: Path, walk: Walk) -> int | Invalid:
        value = node.value() if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return walk.wrong(node, self.words())
        if not isinstance(value, int) or not self.least <= value <= self.most:
            return _out_of_range(node, self, walk)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def words(self) -> str:
        return f"a whole number from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Percent:
    """0 to 100 in steps of 0.01."""

    def read(self, node: Node, path: Path, walk: Walk) -> float | Invalid:
        value = node.value() if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return walk.wrong(node, self.words())
        if not 0 <= value <= 100 or not math.isclose(value * 100, round(value * 100), abs_tol=1e-7):
            return _out_of_range(node, self, walk)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0, "maximum": 100}

    def words(self) -> str:
        return "a percentage from 0 to 100 in steps of 0.01"


def _out_of_range(node: Node, kind: Kind, walk: Walk) -> Invalid:
    walk.findings.add(
        Code.OUT_OF_RANGE, node.at, f"{describe(node)} is not {kind.words()}", f"Write {kind.words()}."
    )
    return INVALID


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with a unit, in text: `10s`, `64KB`. Read into the number of base units."""

    what: str
    units: Mapping[str, float]
    least: float
    most: float
    whole: bool = False

    def read(self, node: Node, path: Path, walk: Walk) -> float | int | Invalid:
        text = node.text if isinstance(node, Scalar) else ""
        found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([A-Za-z/]*)", text)
        if found is None or found[2] not in self.units:
            return walk.wrong(node, self.words())
        value = float(found[1]) * self.units[found[2]]
        if not self.least <= value <= self.most or (self.whole and value != int(value)):
            return _out_of_range(node, self, walk)
        return int(value) if self.whole else value

    def schema(self) -> dict[str, Any]:
        units = "|".join(re.escape(unit) for unit in self.units if unit)
        bare = "?" if "" in self.units else ""
        text = {"type": "string", "pattern": f"^[0-9]+(\\.[0-9]+)?({units}){bare}$"}
        return {"anyOf": [text, {"type": "number", "minimum": 0}]} if bare else text

    def words(self) -> str:
        return self.what


def duration(least: float, most: float) -> Measure:
    """Seconds, written `250ms`, `10s`, `5m`, `1h`, `1d`."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    return Measure(f"a duration from {say_seconds(least)} to {say_seconds(most)}", units, least, most)


def say_seconds(seconds: float) -> str:
    """A duration as it would be written."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds * 1000:g}ms"


def size(least: int, most: int) -> Measure:
    """Bytes, written `4096`, `64KB`, `100MB`, `2GB` (powers of 1024)."""
    units: dict[str, float] = {"": 1, "B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
    return Measure(f"a size from {say_bytes(least)} to {say_bytes(most)}", units, least, most, whole=True)


def say_bytes(count: int) -> str:
    """A size as it would be written."""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if count >= factor and count % factor == 0:
            return f"{count // factor}{unit}"
    return f"{count}B" if count else "0"


RATE = Measure("a rate such as 50/s or 600/m", {"/s": 1.0, "/m": 1 / 60, "/h": 1 / 3600}, 0, 1_000_000)
"""Events per second."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """One word of an enumeration."""

    words_of: type[StrEnum]

    def read(self, node: Node, path: Path, walk: Walk) -> StrEnum | Invalid:
        text = node.text if isinstance(node, Scalar) else None
        for word in self.words_of:
            if text == word.value:
                return word
        return walk.wrong(node, self.words())

    def schema(self) -> dict[str, Any]:
        return {"enum": [word.value for word in self.words_of]}

    def words(self) -> str:
        *most, last = (word.value for word in self.words_of)
        return f"{', '.join(most)} or {last}"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list, read into a tuple; items that cannot be read are left out (their findings are noted)."""

    item: Kind
    least: int = 0

    def read(self, node: Node, path: Path, walk: Walk) -> tuple[Any, ...] | Invalid:
        if not isinstance(node, Listing):
            return walk.wrong(node, self.words())
        if len(node.items) < self.least:
            return _out_of_range(node, self, walk)
        values: list[Any] = []
        for item in node.items:
            walk.places[(*path, len(values))] = item.at
            value = self.item.read(item, (*path, len(values)), walk)
            if value is not INVALID:
                values.append(value)
        return tuple(values)

    def schema(self) -> dict[str, Any]:
        least = {"minItems": self.least} if self.least else {}
        return {"type": "array", "items": self.item.schema(), **least}

    def words(self) -> str:
        return f"a list{' of at least one' if self.least else ''}, each item {self.item.words()}"


NAME = r"[A-Za-z][A-Za-z0-9_.-]{0,62}"


@dataclass(frozen=True, slots=True)
class NamedOf:
    """A mapping from names to values of one kind."""

    value: Kind
    what: str
    least: int = 0
    name: str = NAME

    def read(self, node: Node, path: Path, walk: Walk) -> dict[str, Any] | Invalid:
        if not isinstance(node, MappingNode):
            return walk.wrong(node, self.words())
        if len(node.pairs) < self.least:
            return _out_of_range(node, self, walk)
        values = {}
        for name, inner in pairs_of(node, walk).items():
            if not re.fullmatch(self.name, name):
                walk.findings.add(
                    Code.BAD_VALUE,
                    inner[0].at,
                    f"{shorten(name)!r} is no name for {self.what}",
                    "Names begin with a letter; then letters, digits, dots, dashes and underscores (63 at most).",
                )
                continue
            walk.places[(*path, name)] = inner[0].at
            value = self.value.read(inner[1], (*path, name), walk)
            if value is not INVALID:
                values[name] = value
        return values

    def schema(self) -> dict[str, Any]:
        least = {"minProperties": self.least} if self.least else {}
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{self.name})$"},
            "additionalProperties": self.value.schema(),
            **least,
        }

    def words(self) -> str:
        return f"a mapping from names to {self.what}"


def pairs_of(node: MappingNode, walk: Walk) -> dict[str, tuple[Node, Node]]:
    """The pairs of a mapping by key; keys that are no text and duplicates are noted and left out."""
    pairs: dict[str, tuple[Node, Node]] = {}
    for key, value in node.pairs:
        if not isinstance(key, Scalar):
            walk.wrong(key, "a key")
            continue
        if key.text in pairs:
            first = pairs[key.text][0].at
            walk.findings.add(
                Code.DUPLICATE_KEY,
                key.at,
                f"{shorten(key.text)} was already given in line {first.line}",
                "Keep one of the two.",
            )
            continue
        pairs[key.text] = (key, value)
    return pairs


def check_url(text: str) -> str | None:
    """Complaint about a backend's URL: plain HTTP, a host, perhaps a port, nothing more."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        return f"{shorten(text)!r} is no URL: {error}"
    if url.scheme != "http":
        return f"{shorten(text)!r} does not begin with http:// (backends are spoken to in plain HTTP)"
    if not url.hostname or port == 0 or not re.fullmatch(r"[A-Za-z0-9._:-]+", url.hostname):
        return f"{shorten(text)!r} names no host"
    if url.username is not None or url.path not in ("", "/") or url.query or url.fragment:
        return f"{shorten(text)!r} has more than a host and a port"
    return None


def check_network(text: str) -> str | None:
    """Complaint about an address or network in CIDR form."""
    try:
        ip_network(text, strict=False)
    except ValueError as error:
        return str(error)
    return None
