# SPDX-License-Identifier: AGPL-3.0-or-later
"""The description is OpenAPI 3.1, whole, and of everything that is served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from services.app.application import ROUTES
from services.kernel import openapi
from services.kernel.errors import AccessDeniedError, InvalidRecordError, NotFoundError

DOCUMENT: dict[str, Any] = json.loads(json.dumps(openapi.document(ROUTES)))


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(found := value.get("$ref"), str):
            yield found
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_route_is_there_once() -> None:
    assert {operation["operationId"].split(" ")[0] for _, _, operation in operations()} == {
        one.name for one in ROUTES
    }
    assert {(method.upper(), re.sub(r"{(\w+)}", r":\1", path)) for path, method, _ in operations()} == {
        (one.method, one.path) for one in ROUTES
    }


def test_it_has_what_the_specification_demands() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"].keys() >= {"title", "version"}
    for path, method, operation in operations():
        assert path.startswith("/")
        assert method in {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
        assert operation["responses"]
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d", status)
            assert "$ref" in response or response["description"]
        declared = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path))
        assert all(one.get("required") for one in operation.get("parameters", []) if one["in"] == "path")
        assert operation["summary"]


def test_names_are_there_once() -> None:
    """Of operations in the document, of parameters in an operation: generated clients need both."""
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids) == len(ROUTES)
    for _, _, operation in operations():
        names = [(one["in"], one["name"]) for one in operation.get("parameters", [])]
        assert len(set(names)) == len(names), operation["operationId"]


def test_queries_are_described() -> None:
    asked = {
        operation["operationId"]: {
            one["name"]: one for one in operation["parameters"] if one["in"] == "query"
        }
        for _, _, operation in operations()
        if "parameters" in operation
    }
    groups = asked["groups#index"]
    assert groups.keys() >= {"xids", "q", "order", "from", "per", "exclude_types", "locale"}
    assert groups["order"]["schema"]["enum"][0] == "memberships_count"
    assert asked["versions#show"]["index"]["schema"] == {"type": "integer"}
    assert "locale" not in asked["b3/users#deactivate"]  # programs have no language
    for parameters in asked.values():
        for one in parameters.values():
            assert one["schema"]["type"] in {"string", "integer"}
            assert one.keys() <= {"name", "in", "schema", "description"}


def test_every_operation_says_what_lets_one_in() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    ways = {operation["operationId"]: operation["security"] for _, _, operation in operations()}
    assert all(name in schemes for one in ways.values() for way in one for name in way)
    assert ways["b3/users#reactivate"] == [{"b3": []}]
    assert {} in ways["boot#site"]
    guarded = {
        operation["operationId"]
        for _, _, operation in operations()
        if "X-CSRF-Token" in {parameter["name"] for parameter in operation.get("parameters", [])}
    }
    assert "sessions#create" in guarded
    assert "b3/users#reactivate" not in guarded


def test_references_lead_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert found
    for reference in found:
        place: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place


def test_errors_are_described_as_they_are_told() -> None:
    for error in (AccessDeniedError(), NotFoundError("Poll"), InvalidRecordError({"name": ["is taken"]})):
        response = DOCUMENT["components"]["responses"][str(int(error.status))]
        schema = response["content"]["application/json"]["schema"]
        kinds = [one["$ref"].rpartition("/")[2] for one in schema.get("anyOf", [schema])]
        assert any(set(openapi.BODIES[kind]["required"]) <= error.body().keys() for kind in kinds)
