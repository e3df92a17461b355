# SPDX-License-Identifier: AGPL-3.0-or-later
"""Schemas from samples, and what samples say about a difference."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.experiment.infer import Shape, json_schemas, openapi


def seen(samples: int = 60) -> Shape:
    shape = Shape()
    for number in range(samples):
        poll: dict[str, Any] = {
            "id": number,
            "kind": ("count", "poll", "meeting")[number % 3],
            "title": f"About the {number}",
            "at": "2025-01-31T01:02:03.456Z",
            "closed_at": None if number % 2 else "2025-01-31T01:02:03.456Z",
            "turnout": number / 2 if number % 2 else number,
            "scores": {str(number): 1},
        }
        if number % 4 == 0:
            poll["rare"] = True
        shape.add({"polls": [poll]})
    return shape


def test_types_nulls_enumerations_and_formats() -> None:
    schema = seen().schema()["properties"]["polls"]["items"]
    told = schema["properties"]
    assert told["id"] == {"type": "integer"}
    assert told["kind"] == {"type": "string", "enum": ["count", "meeting", "poll"]}
    assert told["title"] == {"type": "string"}
    assert told["at"] == {"type": "string", "format": "date-time"}
    assert told["closed_at"]["type"] == ["null", "string"]
    assert told["turnout"] == {"type": "number"}
    assert told["scores"] == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert "rare" not in schema["required"]
    assert "kind" in schema["required"]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("/polls/*/id", None, "never null in 60 samples"),
        ("/polls/*/closed_at", None, ""),
        ("/polls/*/id", "5", "always a number in 60 samples"),
        ("/polls/*/kind", "party", "always one of count, meeting, poll in 60 samples"),
        ("/polls/*/kind", "poll", ""),
        ("/polls/*/at", "tomorrow", "always a timestamp in 60 samples"),
        ("/polls/*/scores/*", None, "never null in 60 samples"),
        ("/polls/*/new", 1, "never there in 60 samples"),
        ("/elsewhere/*/new", 1, ""),
    ],
)
def test_what_samples_say(field: str, value: Any, expected: str) -> None:
    assert seen().explain(field, value) == expected


def test_what_is_missing() -> None:
    assert seen().explain("/polls/*/id", None, missing=True) == "never absent in 60 samples"
    assert seen().explain("/polls/*/rare", None, missing=True) == ""


def test_few_samples_make_no_enumeration_and_people_none_at_all() -> None:
    assert "enum" not in str(seen(6).schema())
    assert "About" not in str(seen().schema())


def test_documents() -> None:
    document = openapi([("/d/:key(.:format)", "GET", "d#show", 200, "application/json", seen())], "t", "1")
    entry = document["paths"]["/d/{key}"]["get"]
    assert entry["parameters"][0]["name"] == "key"
    assert entry["responses"]["200"]["content"]["application/json"]["schema"]["type"] == "object"
    assert set(json_schemas({"a": seen()}, "t")["$defs"]) == {"a"}


def test_a_shape_that_was_kept_says_the_same() -> None:
    shape = seen()
    again = Shape.of(json.loads(json.dumps(shape.kept())))
    assert again.schema() == shape.schema()
    assert again.explain("/polls/*/id", None) == shape.explain("/polls/*/id", None) != ""
