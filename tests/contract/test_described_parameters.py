# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `/openapi.json` says of queries is what handlers read when recorded requests are asked again."""

from __future__ import annotations

from collections import defaultdict

import pytest

from banyan.embedded import ValkeyServer
from contracts.corpus import Corpus
from services.app.application import ROUTES
from services.kernel.parameters import PERSONS
from services.kernel.params import Params
from services.kernel.routes import Routes
from tests.servicetest import running_service

OF_ALL = {one.name for one in PERSONS}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names that were asked for since it was last cleared."""
    names: set[str] = set()
    text, contains = Params.text, Params.__contains__

    def noted_text(self: Params, name: str) -> str | None:
        names.add(name)
        return text(self, name)

    def noted_contains(self: Params, name: str) -> bool:
        names.add(name)
        return contains(self, name)

    monkeypatch.setattr(Params, "text", noted_text)
    monkeypatch.setattr(Params, "__contains__", noted_contains)
    return names


async def test_handlers_read_what_their_routes_declare(
    corpus: Corpus, sample_url: str, valkey: ValkeyServer, read: set[str]
) -> None:
    routes = Routes(ROUTES)
    seen: defaultdict[str, set[str]] = defaultdict(set)
    declared: dict[str, set[str]] = {}
    async with running_service(corpus, sample_url, REDIS_URL=valkey.url()) as service:
        for case in corpus.reads():
            path = case.request.path.partition("?")[0]
            found = routes.find(case.request.method, path) if path.startswith("/api/v1/") else None
            if found is None:
                continue
            route, segments = found
            read.clear()
            await service.replay(case)
            seen[route.name] |= read - segments.keys() - OF_ALL
            declared[route.name] = {one.name for one in route.reads} - segments.keys()
    assert seen == declared
    assert len(seen) > 10
