# SPDX-License-Identifier: AGPL-3.0-or-later
"""OpenAPI 3.1 of what is served, from the routes, their handlers' docstrings and the errors' taxonomy. Pure."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from services.kernel import errors
from services.kernel.credential import INSTALLATION_KEY, USER_KEY, Credential
from services.kernel.errors import ServiceError
from services.kernel.parameters import PERSONS, Parameter
from services.kernel.routes import Route
from services.kernel.settings import LOOMIO_VERSION

_SEGMENT = re.compile(r":([a-z_]+)")
_ANY_OBJECT = {"type": "object", "additionalProperties": True}
_TEXT = {"type": "string"}
_IN_BODY = "May stand in the body as well."

BODIES: dict[str, Any] = {
    "Exception": {
        "type": "object",
        "description": "What a controller rescues: Ruby's class, and a sentence that is not part of the contract.",
        "required": ["exception", "error"],
        "properties": {"exception": _TEXT, "error": _TEXT},
    },
    "Error": {
        "type": "object",
        "description": "Everything else that goes wrong.",
        "required": ["error"],
        "properties": {"status": {"type": "integer"}, "error": _TEXT},
    },
    "Invalid": {
        "type": "object",
        "description": "Why a record does not hold what it must, by field.",
        "required": ["errors"],
        "properties": {
            "errors": {"type": "object", "additionalProperties": {"type": "array", "items": _TEXT}}
        },
    },
}
"""Documents of errors."""

SECURITY: dict[Credential, list[dict[str, list[str]]]] = {
    Credential.SESSION: [{"session": []}, {"remember": []}, {"bearer": []}, {}],
    Credential.BROWSER: [{"session": []}, {"remember": []}, {}],
    Credential.B2: [{"b2": []}],
    Credential.B3: [{"b3": []}],
}
"""What each kind of credential may be, any one of them."""


_FORGERY_TOKEN: dict[str, Any] = {
    "name": "X-CSRF-Token",
    "in": "header",
    "description": "Equal to the cookie csrftoken, or made from the session's token.",
    "schema": _TEXT,
}


def document(routes: Iterable[Route[Any]]) -> dict[str, Any]:
    """The description of these routes."""
    routes = list(routes)
    names = Counter(route.name for route in routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _SEGMENT.sub(r"{\1}", route.path)
        operation_id = route.name if names[route.name] == 1 else f"{route.name} {route.method} {route.path}"
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, operation_id)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Loomio's endpoints, answered by Banyan",
            "version": LOOMIO_VERSION,
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "paths": paths,
        "components": {
            "schemas": BODIES,
            "responses": _responses(),
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "_loomio"},
                "remember": {"type": "apiKey", "in": "cookie", "name": "remember_user_token"},
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "b2": {"type": "apiKey", "in": "query", "name": USER_KEY, "description": _IN_BODY},
                "b3": {"type": "apiKey", "in": "query", "name": INSTALLATION_KEY, "description": _IN_BODY},
            },
        },
    }


def _operation(route: Route[Any], operation_id: str) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in _SEGMENT.findall(route.path)
    ]
    in_path = {one["name"] for one in parameters}
    reads = (*route.reads, *PERSONS) if route.takes.is_persons else route.reads
    parameters += [_parameter(one) for one in reads if one.name not in in_path]
    operation: dict[str, Any] = {
        "operationId": operation_id,
        "tags": [route.name.partition("#")[0]],
        "summary": _summary(route.handler),
        "security": SECURITY[route.takes],
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": {}}}},
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in _statuses()},
        },
    }
    if route.method != "GET":
        if route.takes.is_persons and route.is_guarded:
            parameters.append(_FORGERY_TOKEN)
        operation["requestBody"] = {
            "content": {
                kind: {"schema": _ANY_OBJECT}
                for kind in ("application/json", "application/x-www-form-urlencoded")
            }
        }
    if parameters:
        operation["parameters"] = parameters
    return operation


def _parameter(one: Parameter) -> dict[str, Any]:
    says = {"description": one.says} if one.says else {}
    return {"name": one.name, "in": "query", "schema": dict(one.schema), **says}


def _summary(handler: Callable[..., Any]) -> str:
    text = inspect.getdoc(handler) or handler.__name__
    return text.partition("\n\n")[0].replace("\n", " ")


def _taxonomy() -> list[type[ServiceError]]:
    found = [
        one
        for _, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, ServiceError) and hasattr(one, "status")
    ]
    return sorted(found, key=lambda one: (one.status, one.code))


def _statuses() -> list[int]:
    return sorted({int(one.status) for one in _taxonomy()})


def _responses() -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status in _statuses():
        kinds = [one for one in _taxonomy() if one.status == status]
        bodies = sorted({_body_of(one) for one in kinds})
        schemas = [{"$ref": f"#/components/schemas/{name}"} for name in bodies]
        said = [" ".join((inspect.getdoc(one) or "").split()) for one in kinds]
        responses[str(status)] = {
            "description": " ".join(said),
            "content": {
                "application/json": {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
            },
        }
    return responses


def _body_of(kind: type[ServiceError]) -> str:
    if issubclass(kind, errors.InvalidRecordError):
        return "Invalid"
    return "Exception" if issubclass(kind, errors.ControllerError) else "Error"
