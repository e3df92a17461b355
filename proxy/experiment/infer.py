# SPDX-License-Identifier: AGPL-3.0-or-later
"""What answers look like, learned from samples: types, what may be null or absent, the few values of an enumeration.

    Shape.add(value) …  →  schema() (JSON Schema 2020-12, which OpenAPI 3.1 uses)  |  explain(field, value)

A shape holds counts and, of labels alone, values; nothing that a person wrote is in it. Pure and iterative.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from proxy.experiment.diff import field_of, json_type, tokens
from proxy.experiment.values import ValueClass, classify

MOST_VALUES = 12
"""An enumeration has at most so many values …"""

LEAST_SAMPLES = 20
"""… and was seen at least so often, each value three times on average."""

_FORMATS = {
    ValueClass.TIMESTAMP: "date-time",
    ValueClass.DATE: "date",
    ValueClass.UUID: "uuid",
    ValueClass.EMAIL: "email",
}


class Shape:
    """What was seen at one field."""

    __slots__ = ("classes", "elements", "keyed", "members", "samples", "types", "values")

    def __init__(self) -> None:
        self.samples = 0
        self.types: Counter[str] = Counter()
        self.classes: Counter[ValueClass] = Counter()
        self.values: Counter[str] | None = Counter()
        self.members: dict[str, Shape] = {}
        self.keyed: Shape | None = None
        """Members under keys that are data."""
        self.elements: Shape | None = None

    def add(self, value: Any) -> None:
        """Takes in a sample."""
        pending: list[tuple[Shape, Any]] = [(self, value)]
        while pending:
            shape, here = pending.pop()
            shape._note(here)
            if isinstance(here, dict):
                pending += [(shape._member(name), inner) for name, inner in here.items()]
            elif isinstance(here, list) and here:
                if shape.elements is None:
                    shape.elements = Shape()
                pending += [(shape.elements, inner) for inner in here]

    def _note(self, value: Any) -> None:
        self.samples += 1
        kind = json_type(value)
        if kind == "number":
            kind = "integer" if isinstance(value, int) else "number"
        self.types[kind] += 1
        if not isinstance(value, str):
            return
        looks = classify(value)
        self.classes[looks] += 1
        if looks is not ValueClass.LABEL:
            self.values = None
        elif self.values is not None:
            self.values[value] += 1
            if len(self.values) > MOST_VALUES:
                self.values = None

    def _member(self, name: str) -> Shape:
        if field_of((None, name)) == "/*":
            if self.keyed is None:
                self.keyed = Shape()
            return self.keyed
        shape = self.members.get(name)
        if shape is None:
            shape = self.members[name] = Shape()
        return shape

    def at(self, field: str) -> Shape | None:
        """The shape at a field below this one, `*` for list places and data keys; None where nothing was seen."""
        return self._at(tokens(field))

    def _at(self, steps: list[str]) -> Shape | None:
        shape: Shape | None = self
        for step in steps:
            if shape is None:
                return None
            shape = (shape.elements or shape.keyed) if step == "*" else shape.members.get(step)
        return shape

    def enumeration(self) -> list[str] | None:
        """All values that were seen, where they are few and were seen often."""
        seen = sum(self.values.values()) if self.values else 0
        if not self.values or seen < max(LEAST_SAMPLES, 3 * len(self.values)) or len(self.values) < 2:
            return None
        return sorted(self.values)

    def schema(self) -> dict[str, Any]:
        """The shape in JSON Schema. Nests as deep as the samples did."""
        types = set(self.types)
        if "number" in types:
            types.discard("integer")
        told: dict[str, Any] = {"type": sorted(types) if len(types) != 1 else next(iter(types))}
        values = self.enumeration()
        if values is not None:
            told["enum"] = [*values, None] if "null" in types else values
        elif len(self.classes) == 1 and (form := _FORMATS.get(next(iter(self.classes)))):
            told["format"] = form
        if self.members:
            told["properties"] = {name: shape.schema() for name, shape in sorted(self.members.items())}
            objects = self.types["object"]
            told["required"] = [
                name for name, shape in sorted(self.members.items()) if shape.samples == objects
            ]
        if self.keyed is not None:
            told["additionalProperties"] = self.keyed.schema()
        if self.elements is not None:
            told["items"] = self.elements.schema()
        return told

    def kept(self) -> list[Any]:
        """The shape as JSON values; `of` makes it again. Nests as deep as the samples did."""
        return [
            self.samples,
            dict(sorted(self.types.items())),
            dict(sorted(self.classes.items())),
            None if self.values is None else dict(sorted(self.values.items())),
            {name: shape.kept() for name, shape in sorted(self.members.items())},
            None if self.keyed is None else self.keyed.kept(),
            None if self.elements is None else self.elements.kept(),
        ]

    @classmethod
    def of(cls, kept: list[Any]) -> Shape:
        """A shape that was `kept`."""
        shape = cls()
        shape.samples, types, classes, values, members, keyed, elements = kept
        shape.types = Counter(types)
        shape.classes = Counter({ValueClass(name): times for name, times in classes.items()})
        shape.values = None if values is None else Counter(values)
        shape.members = {name: cls.of(one) for name, one in members.items()}
        shape.keyed = None if keyed is None else cls.of(keyed)
        shape.elements = None if elements is None else cls.of(elements)
        return shape

    def explain(self, field: str, value: Any, *, missing: bool = False) -> str:
        """What the samples say about a value at a field; empty where they say nothing against it."""
        steps = tokens(field)
        shape = self._at(steps)
        holder = self._at(steps[:-1])
        if shape is None:
            return "" if holder is None else f"never there in {_times(holder.samples)}"
        if missing:
            objects = holder.types["object"] if holder is not None else 0
            return f"never absent in {_times(objects)}" if shape.samples == objects else ""
        return shape._against(value)

    def _against(self, value: Any) -> str:
        kind = json_type(value)
        seen = {"number" if one == "integer" else one for one in self.types}
        if kind == "null" and "null" not in seen:
            return f"never null in {_times(self.samples)}"
        if kind not in seen:
            return f"always {_either(seen)} in {_times(self.samples)}"
        values = self.enumeration()
        if values is not None and isinstance(value, str) and value not in values:
            return f"always one of {', '.join(values)} in {_times(self.samples)}"
        if isinstance(value, str) and len(self.classes) == 1 and self.samples >= LEAST_SAMPLES:
            looks = next(iter(self.classes))
            if looks in _FORMATS and classify(value) is not looks:
                return f"always a {looks} in {_times(self.classes[looks])}"
        return ""


def openapi(
    shapes: Iterable[tuple[str, str, str, int, str, Shape]], title: str, version: str
) -> dict[str, Any]:
    """An OpenAPI 3.1 document of (path, method, operation, status, media type, shape of the body)."""
    paths: dict[str, dict[str, Any]] = {}
    for path, method, operation, status, media, shape in shapes:
        entry = paths.setdefault(_template(path), {}).setdefault(
            method.lower(), {"operationId": operation, "parameters": _parameters(path), "responses": {}}
        )
        response = entry["responses"].setdefault(
            str(status), {"description": f"{shape.samples} samples", "content": {}}
        )
        response["content"][media] = {"schema": shape.schema()}
    return {"openapi": "3.1.0", "info": {"title": title, "version": version}, "paths": paths}


def json_schemas(shapes: Mapping[str, Shape], title: str) -> dict[str, Any]:
    """One JSON Schema document with a definition per name."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "$defs": {name: {"title": name, **shape.schema()} for name, shape in sorted(shapes.items())},
    }


def _template(path: str) -> str:
    """Rails' `/d/:key(.:format)` as OpenAPI writes it."""
    return "/".join(
        f"{{{step.lstrip(':*')}}}" if step[:1] in (":", "*") else step
        for step in path.replace("(.:format)", "").split("/")
    )


def _parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": step.lstrip(":*"), "in": "path", "required": True, "schema": {"type": "string"}}
        for step in path.replace("(.:format)", "").split("/")
        if step[:1] in (":", "*")
    ]


def _times(samples: int) -> str:
    return f"{samples:,} sample{'' if samples == 1 else 's'}"


def _either(types: set[str]) -> str:
    return " or ".join(
        f"{'an' if one[0] in 'aeio' else 'a'} {one}" if one != "null" else one for one in sorted(types)
    )
