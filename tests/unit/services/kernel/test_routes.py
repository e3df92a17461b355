# SPDX-License-Identifier: AGPL-3.0-or-later
"""Paths as Rails matches them."""

from __future__ import annotations

import pytest

from services.kernel.routes import Route, Routes


async def handler() -> None:
    """Never called."""


ROUTES = Routes(
    Route(method, path, name, handler)
    for method, path, name in (
        ("GET", "/", "root"),
        ("GET", "/api/v1/polls", "index"),
        ("GET", "/api/v1/polls/closed", "closed"),
        ("GET", "/api/v1/polls/:id", "show"),
        ("GET", "/api/v1/polls/:id/:part", "part"),
        ("POST", "/api/v1/polls", "create"),
    )
)


@pytest.mark.parametrize(
    ("method", "path", "name", "segments"),
    [
        ("GET", "/", "root", {}),
        ("GET", "//", "root", {}),
        ("HEAD", "/api/v1/polls", "index", {}),
        ("POST", "/api/v1/polls", "create", {}),
        ("GET", "/api//v1/polls/", "index", {}),
        ("GET", "/api/v1/polls.json", "index", {}),
        ("GET", "/api/v1/polls/closed", "closed", {}),
        ("GET", "/api/v1/polls/a%20b", "show", {"id": "a b"}),
        ("GET", "/api/v1/polls/7.xml", "show", {"id": "7"}),
        ("GET", "/api/v1/polls/7/x", "part", {"id": "7", "part": "x"}),
    ],
)
def test_found(method: str, path: str, name: str, segments: dict[str, str]) -> None:
    found = ROUTES.find(method, path)
    assert found is not None
    assert (found[0].name, found[1]) == (name, segments)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/v1/polls"),
        ("POST", "/api/v1/polls/1"),
        ("GET", "/api/v1"),
        ("GET", "/API/v1/polls"),
        ("GET", "/api/v1/polls/a.b.c"),
        ("GET", "/api/v1/polls/1/2/3"),
        ("GET", "x/api/v1/polls"),
    ],
)
def test_not_found(method: str, path: str) -> None:
    assert ROUTES.find(method, path) is None
