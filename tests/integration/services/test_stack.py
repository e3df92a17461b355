# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands around every handler: limits, comparisons, deadlines, the log."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from banyan.embedded import ValkeyServer
from contracts.corpus import Corpus
from services.app import application
from services.groups import store as groups
from services.kernel.http import Context
from services.kernel.routes import Route
from tests.servicetest import is_of_a_request, running_service

LIMITED = "/api/v1/contact_requests"
EXPLORED = "/api/v1/groups/count_explore_results"


async def test_an_address_that_asks_too_often_is_turned_away(
    corpus: Corpus, database_url: str, valkey: ValkeyServer
) -> None:
    limits = {"REDIS_URL": valkey.url(), "RACK_ATTACK_RATE_MULTPLIER": "1"}
    async with running_service(corpus, database_url, **limits) as service:

        async def ask(address: str) -> Any:
            headers = {"X-Forwarded-For": address}
            return await service.get(LIMITED, headers=headers, method="POST")

        assert [(await ask("203.0.113.7")).status for _ in range(11)] == [404] * 10 + [429]
        refused = await ask("198.51.100.1, 203.0.113.7")
        headers = {name.lower(): value for name, value in refused.headers}
        assert refused.body == b"Retry later\n"
        assert 0 < int(headers["retry-after"]) <= 3600
        assert (await ask("203.0.113.8")).status == 404
        assert await service.status(LIMITED) == 404  # reading is not counted


async def test_without_redis_nobody_is_turned_away(corpus: Corpus, database_url: str) -> None:
    away = {"REDIS_URL": "redis://127.0.0.1:1", "RACK_ATTACK_RATE_MULTPLIER": "1"}
    async with running_service(corpus, database_url, **away) as service:
        statuses = [(await service.get(LIMITED, method="POST")).status for _ in range(12)]
        assert statuses == [404] * 12


async def test_a_comparison_may_not_write(
    corpus: Corpus, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def write(context: Context) -> dict[str, Any]:
        done = await context.db.atomically(lambda: groups.count_explored(context.db, None))
        return {"count": done}

    routes = (
        Route("GET", "/reads", "reads", write),
        Route("GET", "/writes", "writes", write, writes=True),
        Route("POST", "/writes", "writes", write),
    )
    monkeypatch.setattr(application, "ROUTES", routes)
    shadow = {"X-Banyan-Shadow": "1"}
    async with running_service(corpus, database_url) as service:
        assert await service.status("/reads") == 409
        assert await service.status("/reads?membership_token=x") == 200  # redeemed before it is answered
        assert await service.status("/writes") == 200
        assert (await service.get("/writes", method="POST")).status == 200
        for path, method in (
            ("/reads?membership_token=x", "GET"),
            ("/writes", "GET"),
            ("/writes", "POST"),
        ):
            assert (await service.get(path, headers=shadow, method=method)).status == 409


async def test_a_request_has_a_deadline(
    corpus: Corpus, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forever(_context: Context) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(application, "ROUTES", (Route("GET", "/forever", "forever", forever),))
    async with running_service(corpus, database_url, BANYAN_REQUEST_TIMEOUT="1") as service:
        answer = await service.get("/forever")
        assert answer.status == 503
        assert ("retry-after", "1") in [(name.lower(), value) for name, value in answer.headers]


async def test_lines_name_routes_and_statements_and_nothing_private(
    corpus: Corpus, database_url: str
) -> None:
    for switch, number in (("on", 1), ("off", 0)):
        settings = {"BANYAN_LOG_REQUESTS": switch, "BANYAN_SLOW_QUERY_MS": "0"}
        async with running_service(corpus, database_url, **settings) as service:
            with structlog.testing.capture_logs() as lines:
                assert await service.status(f"{EXPLORED}?q=private-words") == 200
        assert [line["event"] for line in lines].count("request") == number
        slow = [line["statement"] for line in lines if line["event"] == "slow query"]
        assert list(filter(is_of_a_request, slow)) == ["groups.explored"]
        assert "private-words" not in str(lines)
