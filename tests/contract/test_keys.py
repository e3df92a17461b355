# SPDX-License-Identifier: AGPL-3.0-or-later
"""What programs do with keys: every recorded case is done again and laid beside the recording."""

from __future__ import annotations

from typing import Any

import msgspec
from redis.asyncio import Redis

from banyan.embedded import ValkeyServer
from contracts.address import Address
from contracts.compare import differences
from contracts.corpus import Corpus, Write
from contracts.verify import Database, Listener, MailServer, Manner, Published, Stage
from contracts.verify.case import CaseRun
from tests.servicetest import running_service

READS = {"b2/memberships#index"}
ENDPOINTS = {"b3/users#deactivate", "b3/users#reactivate"}

SIDEKIQS = {
    "b3/users#deactivate": "/rows/",
    "b3/users#reactivate": "/rows/pg_search_documents",
}
"""What is the work of the jobs that are pushed, in Rails as here: no Sidekiq runs in this test."""


async def test_every_recorded_read_is_answered_as_recorded(corpus: Corpus, sample_url: str) -> None:
    cases = [case for case in corpus.reads() if case.endpoint in READS]
    assert {case.response.status for case in cases} == {200, 403, 404}
    async with running_service(corpus, sample_url) as service:
        compared = [(case.request.path, differences(case, await service.replay(case))) for case in cases]
    assert [one for one in compared if one[1]] == []


def jobs_of(case: Write, user_id: int) -> list[tuple[str, list[Any]]]:
    """What Sidekiq must find after a case."""
    if case.steps[-1].response.status != 200:
        return []
    if case.endpoint == "b3/users#deactivate":
        return [("DeactivateUserWorker", [user_id, user_id])]
    return [("GenericWorker", ["SearchService", "reindex_by_author_id", user_id])]


async def pushed(redis: Redis, expected: int) -> list[tuple[str, list[Any]]]:
    """The jobs that were pushed; waits for as many as there should be."""
    found: list[tuple[str, list[Any]]] = []
    for _ in range(expected):
        taken = await redis.brpop(["queue:default"], timeout=10)
        assert taken is not None, "the job never came"
        job = msgspec.json.decode(taken[1])
        found.append((job["class"], job["args"]))
    assert await redis.llen("queue:default") == 0
    return found


async def test_every_recorded_case_does_what_was_recorded(
    corpus: Corpus, sample_url: str, valkey: ValkeyServer
) -> None:
    cases = [case for case in corpus.writes() if case.endpoint in ENDPOINTS]
    assert {case.endpoint for case in cases if case.steps[-1].response.status == 200} == ENDPOINTS
    database = await Database.open(sample_url, corpus, overwrite=True)
    redis_url = valkey.url(5)
    wrong: list[str] = []
    async with (
        MailServer().listening("127.0.0.1", 0) as mail,
        Listener().listening("127.0.0.1", 0) as outgoing,
        Published((redis_url,), overwrite=True) as redis,
        Redis.from_url(redis_url) as queue,
        running_service(corpus, sample_url, REDIS_URL=redis_url, BANYAN_NOW="") as service,
    ):
        server = Address.of(f"http://127.0.0.1:{service.server.port}")
        stage = Stage(server, database, redis, mail, outgoing)
        manner = Manner(settle=0.1)
        for case in cases:
            await database.restore()
            ran = await CaseRun(case, stage, manner, corpus.sessions, corpus.stored_by_digest).run()
            assert ran.failure is None, case.id
            found = [
                str(one) for one in ran.differences if not one.pointer.startswith(SIDEKIQS[case.endpoint])
            ]
            if found:
                wrong.append(f"{case.id}: {found}")
            body = msgspec.json.decode(case.steps[-1].request.body, type=dict[str, Any])
            expected = jobs_of(case, body["id"])
            assert await pushed(queue, len(expected)) == expected, case.id
    await database.close()
    assert not wrong, "\n".join(wrong)
