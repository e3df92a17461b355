# SPDX-License-Identifier: AGPL-3.0-or-later
"""PostgreSQL away, slow, or breaking connections; requests for nothing; mistakes of ours."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import asyncpg
import msgspec
import pytest
from yarl import URL

from banyan.embedded import ValkeyServer
from banyan.migrations import migrate
from contracts.corpus import Corpus
from services.groups import store as groups
from tests.factories import Factory
from tests.servicetest import Service, running_service

REACTIONS = "/api/v1/reactions?comment_ids=1"
AWAY = "postgresql://nobody@127.0.0.1:1/nothing"


def header(answer: Any, name: str) -> str | None:
    return next((value for one, value in answer.headers if one.lower() == name), None)


async def test_without_a_database_what_needs_none_is_answered(corpus: Corpus) -> None:
    async with running_service(corpus, AWAY) as service:
        assert await service.status("/health") == 200
        ready = await service.get("/ready")
        assert (ready.status, header(ready, "retry-after")) == (503, "1")
        assert await service.status("/api/v1/boot/version") == 200
        answer = await service.get(REACTIONS)
        assert (answer.status, header(answer, "retry-after")) == (503, "1")
        assert msgspec.json.decode(answer.body) == {"status": 503, "error": "Service Unavailable"}


async def test_with_a_database_it_is_ready_whatever_redis_does(
    service: Service, corpus: Corpus, database_url: str, valkey: ValkeyServer
) -> None:
    assert await service.json("/ready") == {
        "status": "ok",
        "database": "ok",
        "migrations": "ok",
        "redis": "away",
    }
    async with running_service(corpus, database_url, REDIS_URL=valkey.url()) as other:
        assert (await other.json("/ready"))["redis"] == "ok"


async def test_a_database_that_was_not_migrated_is_not_ready_and_says_what_helps(
    corpus: Corpus, sample_url: str
) -> None:
    async def ready(service: Service) -> tuple[int, Any]:
        answer = await service.get("/ready")
        return answer.status, msgspec.json.decode(answer.body)

    connection = await asyncpg.connect(sample_url)
    async with running_service(corpus, sample_url) as service:
        assert (await ready(service))[0] == 200
        await connection.execute("DROP TABLE banyan.outbox")
        status, told = await ready(service)
        assert (status, told["missing"], "banyan migrate" in told["remedy"]) == (503, ["outbox"], True)
        await connection.execute("DROP SCHEMA banyan CASCADE")
        status, told = await ready(service)
        assert (status, told["database"], told["missing"][:2]) == (503, "ok", ["jobs", "outbox"])
        assert await service.status(REACTIONS) == 200  # what only reads Loomio's tables works meanwhile
        await migrate(sample_url)
        assert (await ready(service))[0] == 200
    await connection.close()


async def test_a_schema_that_the_services_user_may_not_read_is_missing(
    corpus: Corpus, sample_url: str
) -> None:
    connection = await asyncpg.connect(sample_url)
    name = f"reader_{os.getpid()}"
    await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'known'")
    try:
        url = str(URL(sample_url).with_user(name).with_password("known"))
        async with running_service(corpus, url) as service:
            answer = await service.get("/ready")
            told = msgspec.json.decode(answer.body)
            assert (answer.status, told["missing"][:2]) == (503, ["jobs", "outbox"])
            await connection.execute(
                f"GRANT USAGE ON SCHEMA banyan TO {name}; "
                f"GRANT SELECT ON ALL TABLES IN SCHEMA banyan TO {name}"
            )
            assert await service.status("/ready") == 200
    finally:
        await connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
        await connection.close()


async def test_a_statement_that_takes_too_long_is_given_up(
    corpus: Corpus, database_url: str, make: Factory
) -> None:
    async with running_service(corpus, database_url, BANYAN_DATABASE_TIMEOUT="1") as service:
        async with make.connection.transaction():
            await make.connection.execute("LOCK TABLE reactions IN ACCESS EXCLUSIVE MODE")
            assert await service.status(REACTIONS) == 503
        assert await service.status(REACTIONS) == 200


async def test_a_full_pool_makes_requests_wait_not_fail(
    corpus: Corpus, database_url: str, make: Factory
) -> None:
    async with running_service(corpus, database_url, BANYAN_DATABASE_POOL="1") as service:
        async with make.connection.transaction():
            await make.connection.execute("LOCK TABLE reactions IN ACCESS EXCLUSIVE MODE")
            waiting = [asyncio.create_task(service.status(REACTIONS)) for _ in range(5)]
            await asyncio.sleep(0.05)
            assert not any(task.done() for task in waiting)
        assert await asyncio.gather(*waiting) == [200] * 5


async def test_connections_that_break_are_made_anew(service: Service, make: Factory) -> None:
    assert await service.status(REACTIONS) == 200
    await make.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'banyan-services'"
    )
    async with asyncio.timeout(10):
        while await service.status(REACTIONS) != 200:
            await asyncio.sleep(0.01)


async def test_a_mistake_of_ours_is_told_as_rails_tells_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> int:
        raise LookupError("private details")

    monkeypatch.setattr(groups, "count_explored", broken)
    answer = await service.get("/api/v1/groups/count_explore_results")
    assert (answer.status, answer.body) == (500, b'{"status":500,"error":"Internal Server Error"}')


async def test_what_is_not_routed_is_json_for_those_who_ask_for_it(service: Service) -> None:
    for path in ("/api/v1/nothing", "/", "/api/v1/versions/show", "/api/v1/reactions/1"):
        answer = await service.get(path)
        assert (answer.status, answer.body) == (404, b'{"status":404,"error":"Not Found"}'), path
    for accept in ("*/*", "text/html,application/json"):
        answer = await service.get("/nothing", headers={"Accept": accept})
        assert (answer.status, (header(answer, "content-type") or "").partition(";")[0]) == (404, "text/html")
    assert (await service.get("/nothing.json", headers={"Accept": "*/*"})).body.startswith(b'{"status"')


async def test_paths_are_matched_as_rails_matches_them(service: Service) -> None:
    for path in ("/api/v1/boot/version/", "//api/v1//boot/version", "/api/v1/boot/version.json"):
        assert await service.status(path) == 200
    assert (await service.get("/api/v1/boot/version", method="POST")).status == 404
    assert (await service.get("/api/v1/boot/version", method="OPTIONS")).status == 404


async def test_a_version_without_a_value_is_no_version(service: Service) -> None:
    """Rails falls over (500): nothing cannot be compared with a text."""
    assert await service.status("/api/v1/boot/version?version") == 400
    assert (await service.json("/api/v1/boot/version?version="))["reload"] is True


async def test_the_request_id_is_kept_and_cleaned(service: Service) -> None:
    given = await service.get("/api/v1/boot/version", headers={"X-Request-Id": "abc-1@x y;z"})
    assert header(given, "x-request-id") == "abc-1@xyz"
    made = await service.get("/api/v1/boot/version")
    assert len(header(made, "x-request-id") or "") == 36
    assert float(header(made, "x-runtime") or "-1") >= 0
    assert header(made, "server") is None
