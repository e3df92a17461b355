# SPDX-License-Identifier: AGPL-3.0-or-later
"""A repeated request is told which build answered it; nobody else is."""

from __future__ import annotations

from tests.servicetest import RELEASE, Service


async def test_the_build_is_named_where_answers_are_compared(service: Service) -> None:
    path = "/api/v1/boot/version"
    marked = await service.get(path, headers={"X-Banyan-Shadow": "x"})
    plain = await service.get(path)
    assert (marked.status, marked.body) == (plain.status, plain.body)
    named = {name.lower(): value for name, value in marked.headers}
    assert named["x-banyan-build"] == RELEASE
    assert "x-banyan-build" not in {name.lower() for name, _ in plain.headers}
