# SPDX-License-Identifier: AGPL-3.0-or-later
"""Records: mappings with known keys, declared as dataclasses.

    @dataclass(frozen=True, slots=True)
    class Ramp:
        steps: tuple[float, ...] = key(ListOf(Percent()), "Shares to pass through.")

From such a declaration follow the reader (unknown, duplicate and missing keys noted), the JSON Schema, and the list of
keys that the documentation must describe.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from proxy.config.errors import Code, did_you_mean
from proxy.config.kinds import INVALID, Invalid, Kind, ListOf, NamedOf, Walk, pairs_of
from proxy.config.nodes import Mapping, Node

Attributes = abc.Mapping[str, Any]
"""Values by the name of their attribute."""

_NO_MERGING = "YAML 1.2 has no merge keys: write the keys out, or put an alias in the place of a whole value."


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a record, as declared."""

    name: str
    attribute: str
    kind: Kind
    about: str
    required: bool
    default: Any


def key(kind: Kind, about: str, *, name: str = "", default: Any = MISSING, factory: Any = MISSING) -> Any:
    """Declare a key: what it may be, and what it is for. Required unless it has a default.

    `name` is the key's spelling where it is no Python name (`from`).
    """
    metadata = {"kind": kind, "about": about, "name": name}
    if factory is not MISSING:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata) if default is not MISSING else field(metadata=metadata)


def keys_of(record: type) -> tuple[Key, ...]:
    """The declared keys of a record type, in order."""
    found = []
    for one in fields(record):
        if "kind" not in one.metadata:
            continue
        required = one.default is MISSING and one.default_factory is MISSING
        default = one.default if one.default is not MISSING else None
        name = one.metadata["name"] or one.name
        found.append(Key(name, one.name, one.metadata["kind"], one.metadata["about"], required, default))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with the keys of one dataclass. Reads into an instance of it."""

    of: type
    what: str

    def read(
        self,
        node: Node,
        path: tuple[str | int, ...],
        walk: Walk,
        otherwise: Attributes | None = None,
    ) -> Any | Invalid:
        """As any kind does. `otherwise` stands in for required keys that are missing or could not be read (their
        findings are noted), so that what depends on the rest can be checked all the same.
        """
        if not isinstance(node, Mapping):
            return walk.wrong(node, self.words())
        walk.places.setdefault(path, node.at)
        keys = {one.name: one for one in keys_of(self.of)}
        values: dict[str, Any] = {}
        given = pairs_of(node, walk)
        for name, (place, inner) in given.items():
            if name not in keys:
                walk.findings.add(
                    Code.UNKNOWN_KEY,
                    place.at,
                    f"{self.what} has no key {name!r}",
                    _NO_MERGING
                    if name == "<<"
                    else did_you_mean(name, list(keys), f"Known keys: {', '.join(keys)}."),
                )
                continue
            walk.places[(*path, name)] = inner.at
            value = keys[name].kind.read(inner, (*path, name), walk)
            if value is not INVALID:
                values[keys[name].attribute] = value
        for name, one in keys.items():
            if one.required and name not in given:
                walk.findings.add(
                    Code.MISSING_KEY,
                    node.at,
                    f"{self.what} needs {name!r}",
                    f"Add `{name}:` with {one.kind.words()}.",
                )
        values = {**(otherwise or {}), **values}
        complete = all(one.attribute in values for one in keys.values() if one.required)
        return self.of(**values) if complete else INVALID

    def schema(self) -> dict[str, Any]:
        keys = keys_of(self.of)
        required = [one.name for one in keys if one.required]
        return {
            "type": "object",
            "properties": {one.name: {"description": one.about} | one.kind.schema() for one in keys},
            "additionalProperties": False,
            **({"required": required} if required else {}),
        }

    def words(self) -> str:
        return f"a mapping ({self.what})"


def all_keys(record: type, prefix: str = "") -> Iterator[tuple[str, Key]]:
    """Every key at or below a record type, by dotted path; names chosen by the operator stand as `*`."""
    for one in keys_of(record):
        path = f"{prefix}{one.name}"
        yield path, one
        kind = one.kind
        while isinstance(kind, ListOf | NamedOf):
            path += ".*" if isinstance(kind, NamedOf) else ""
            kind = kind.value if isinstance(kind, NamedOf) else kind.item
        if isinstance(kind, Record):
            yield from all_keys(kind.of, f"{path}.")
