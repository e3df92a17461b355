# SPDX-License-Identifier: AGPL-3.0-or-later
"""Recorded writes done again by a stand-in: all equal; and every fault found where it is."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import groupby
from typing import Any

import asyncpg
import msgspec
import pytest

from banyan.embedded import PostgresServer, ValkeyServer
from contracts.address import Address
from contracts.corpus import Corpus, TableEffect, Write
from contracts.replay import ServerUnreachableError
from contracts.verify import (
    Database,
    DatabaseError,
    Listener,
    MailServer,
    Manner,
    Published,
    RedisFailedError,
    Stage,
    Verifier,
)
from proxy.experiment.evidence import Evidence
from proxy.experiment.outcome import Outcome
from proxy.experiment.tally import Tally
from tests.standin import Spoil, StandIn, can_be_done, replaced

QUICK = Manner(settle=0.0, quiet=0.0)


class World:
    """A stage, and what runs on it."""

    def __init__(self, corpus: Corpus, database_url: str, redis_url: str, stack: AsyncExitStack) -> None:
        self.corpus = corpus
        self.database_url = database_url
        self.redis_url = redis_url
        self._stack = stack
        self.skipped: list[str] = []

    async def open(self) -> None:
        """Begin to listen."""
        self.mail = await self._stack.enter_async_context(MailServer().listening("127.0.0.1", 0))
        self.hooks = await self._stack.enter_async_context(Listener().listening("127.0.0.1", 0))
        self.redis = await self._stack.enter_async_context(Published((self.redis_url,), overwrite=True))
        self.database = await Database.open(self.database_url, self.corpus)
        self._stack.push_async_callback(self.database.close)

    async def verified(
        self, cases: list[Write], spoil: Spoil = lambda case: case, manner: Manner = QUICK, late: float = 0.0
    ) -> Evidence:
        """The evidence of these cases, done by a stand-in with a fault."""
        tally = Tally()
        stand_in = StandIn(
            cases,
            database=self.database_url,
            redis=self.redis_url,
            smtp_port=self.mail.port,
            hooks=self.hooks.url,
            stored=self.corpus.stored_by_digest,
            spoil=spoil,
            late=late,
        )
        async with stand_in.serving():
            stage = Stage(Address.of(stand_in.url), self.database, self.redis, self.mail, self.hooks)
            verifier = Verifier(stage, self.corpus, tally, manner)
            await verifier.run(cases)
        self.skipped = [one.case for one in verifier.skipped]
        return Evidence.of(tally.take())


@asynccontextmanager
async def staged(corpus: Corpus, database_url: str, redis_url: str) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        world = World(corpus, database_url, redis_url, stack)
        await world.open()
        yield world


@pytest.fixture
async def world(corpus: Corpus, sample_url: str, valkey: ValkeyServer) -> AsyncIterator[World]:
    """Everything around an application, over databases of this test alone."""
    async with staged(corpus, sample_url, valkey.url(9)) as world:
        yield world


@pytest.fixture(scope="module")
def cases(corpus: Corpus) -> list[Write]:
    """The writes that a stand-in can do."""
    stored = corpus.stored_by_digest
    return [case for case in corpus.writes() if not case.is_job and can_be_done(case, stored)]


def pointers(evidence: Evidence) -> set[str]:
    return {
        sample.pointer
        for endpoint in evidence.endpoints
        for found in endpoint.findings
        for sample in found.samples
    }


def rich(cases: list[Write]) -> Write:
    """A case that answers JSON, writes new rows and changes some, publishes, and mails two people or more."""
    return next(
        case
        for case in cases
        if len(case.steps) == 1
        and len(case.mails) > 1
        and len(case.redis.messages) > 1
        and case.rows.get("events", TableEffect()).insert
        and any(effect.update for effect in case.rows.values())
    )


async def test_what_does_as_recorded_is_equal(world: World, cases: list[Write]) -> None:
    by_endpoint = groupby(sorted(cases, key=lambda case: case.endpoint), key=lambda case: case.endpoint)
    # All of them take minutes: python -m loadtests.verify_writes.
    sample = [max(group, key=lambda case: len(case.rows)) for _, group in by_endpoint][::5]
    evidence = await world.verified(sample)
    assert pointers(evidence) == set()
    assert evidence.outcomes[Outcome.MATCH] == len(sample) > 20
    assert await world.database.delta() == {}


async def test_later_requests_carry_this_runs_values(world: World, cases: list[Write]) -> None:
    several = [case for case in cases if any("/request" in pointer for pointer in case.noise)][:8]
    evidence = await world.verified(several)
    assert pointers(evidence) == set()
    assert evidence.outcomes[Outcome.MATCH] == len(several) == 8


def without_row(case: Write) -> Write:
    events = case.rows["events"]
    return replaced(case, rows={**case.rows, "events": replaced_effect(events, insert=events.insert[1:])})


def with_other_column(case: Write) -> Write:
    events = case.rows["events"]
    first = {**events.insert[0], "kind": "something_else"}
    return replaced(
        case, rows={**case.rows, "events": replaced_effect(events, insert=[first, *events.insert[1:]])}
    )


def without_update(case: Write) -> Write:
    table = next(name for name, effect in case.rows.items() if effect.update)
    effect = case.rows[table]
    return replaced(case, rows={**case.rows, table: replaced_effect(effect, update=effect.update[1:])})


def replaced_effect(effect: TableEffect, **changes: Any) -> TableEffect:
    return msgspec.structs.replace(effect, **changes)


def without_message(case: Write) -> Write:
    return replaced(case, redis=msgspec.structs.replace(case.redis, messages=case.redis.messages[1:]))


def with_mail_twice(case: Write) -> Write:
    return replaced(case, mails=(case.mails[0], *case.mails))


def without_mail(case: Write) -> Write:
    return replaced(case, mails=case.mails[1:])


def with_other_subject(case: Write) -> Write:
    return replaced(case, mails=({**case.mails[0], "subject": "Nothing of it"}, *case.mails[1:]))


def with_other_answer(case: Write) -> Write:
    step = case.steps[0]
    body = step.response.parsed_body()
    body["added_by_mistake"] = 1
    response = msgspec.structs.replace(step.response, body=msgspec.Raw(json.dumps(body).encode()))
    return replaced(case, steps=(msgspec.structs.replace(step, response=response),))


def with_other_key(case: Write) -> Write:
    keys = {**case.redis.keys, "left-behind": {"type": "string", "value": "1", "expires": False}}
    return replaced(case, redis=msgspec.structs.replace(case.redis, keys=keys))


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (without_row, {"/rows/events/insert/0"}),
        (with_other_column, {"/rows/events/insert/0/kind"}),
        (without_update, {"/rows/*/update/0"}),
        (without_message, {"/redis/messages/0"}),
        (with_mail_twice, {"/mails/-"}),
        (without_mail, {"/mails/0"}),
        (with_other_subject, {"/mails/0/subject"}),
        (with_other_answer, {"/steps/0/response/body/added_by_mistake"}),
        (with_other_key, {"/redis/keys/left-behind"}),
    ],
)
async def test_a_fault_is_found_where_it_is(
    world: World, cases: list[Write], spoil: Callable[[Write], Write], found: set[str]
) -> None:
    case = rich(cases)
    evidence = await world.verified([case], spoil)
    updated = next(name for name, effect in case.rows.items() if effect.update)
    assert pointers(evidence) == {pointer.replace("*", updated) for pointer in found}
    assert evidence.outcomes[Outcome.MISMATCH] == 1


async def test_shifted_ids_are_the_same_rows(world: World, cases: list[Write]) -> None:
    case = rich(cases)
    row = case.rows["events"].insert[0]

    def shifted(case: Write) -> Write:
        text = msgspec.json.encode({"events": case.rows["events"].insert}).decode()
        events = msgspec.json.decode(text.replace(f'"id":{row["id"]},', f'"id":{row["id"] + 500},'))["events"]
        return replaced(
            case, rows={**case.rows, "events": replaced_effect(case.rows["events"], insert=events)}
        )

    evidence = await world.verified([case], shifted)
    wrong = {pointer for pointer in pointers(evidence) if pointer.startswith("/rows/events")}
    assert wrong == set()


async def test_effects_may_come_after_the_answer(world: World, cases: list[Write]) -> None:
    evidence = await world.verified([rich(cases)], manner=Manner(settle=10.0, quiet=0.0), late=0.3)
    assert pointers(evidence) == set()


async def test_the_work_of_a_clock_is_counted_and_said(world: World, corpus: Corpus) -> None:
    job = next(case for case in corpus.writes() if case.is_job)
    evidence = await world.verified([job])
    assert evidence.outcomes[Outcome.NOT_COMPARABLE] == 1
    assert world.skipped == [job.id]


async def test_nobody_there_is_an_error(world: World, cases: list[Write]) -> None:
    stage = Stage(Address.of("http://127.0.0.1:1"), world.database, world.redis, world.mail, world.hooks)
    with pytest.raises(ServerUnreachableError):
        await Verifier(stage, world.corpus, Tally(), QUICK).run(cases[:3])


async def test_a_database_of_somebody_is_refused(postgres: PostgresServer, corpus: Corpus) -> None:
    url = await postgres.create_database(f"somebodys_{os.getpid()}", "sample")
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE users SET id = id + 1000000; TRUNCATE stances, events, versions")
    await connection.close()
    with pytest.raises(DatabaseError, match="not this corpus' database"):
        await Database.open(url, corpus)
    database = await Database.open(url, corpus, overwrite=True)
    await database.restore()
    assert await database.delta() == {}
    await database.close()
    await postgres.drop_database(f"somebodys_{os.getpid()}")


async def test_a_database_is_laid_back_without_a_superuser(postgres: PostgresServer, corpus: Corpus) -> None:
    name = f"plain_{os.getpid()}"
    url = await postgres.create_database(name, "sample")
    owner = await asyncpg.connect(url)
    await owner.execute(
        f"CREATE ROLE {name} LOGIN PASSWORD 'x'; GRANT ALL ON DATABASE {name} TO {name};"
        f" GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}"
    )
    database = await Database.open(f"postgresql://{name}:x@127.0.0.1:{postgres.port}/{name}", corpus)
    try:
        await owner.execute(
            "UPDATE active_storage_blobs SET filename = 'other'; UPDATE users SET name = 'other';"
            " DELETE FROM active_storage_attachments; DELETE FROM tags;"
            " SELECT nextval('users_id_seq')"
        )
        assert set(await database.delta()) >= {"users", "tags", "active_storage_blobs"}
        await database.restore()
        assert await database.delta() == {}
    finally:
        await database.close()
        await owner.close()
        await postgres.drop_database(name)
        administrator = await asyncpg.connect(postgres.url())
        await administrator.execute(f"DROP ROLE {name}")
        await administrator.close()


async def test_a_redis_of_somebody_is_refused(world: World) -> None:
    async with Published((world.redis_url,), overwrite=True) as redis:
        await redis._clients[0].mset({f"k{number}": "v" for number in range(1500)})
        with pytest.raises(RedisFailedError, match="1500 keys"):
            async with Published((world.redis_url,)):
                pass
        await redis.clear()
