# SPDX-License-Identifier: AGPL-3.0-or-later
"""The diff store on a real PostgreSQL: sums, samples, several writers, restarts, expiry."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from banyan.embedded import PostgresServer
from banyan.migrations import migrate
from proxy.experiment.evidence import HOUR, SAMPLES, Approval, Batch, Dimension, Evidence, Loss
from proxy.experiment.noise import Noise
from proxy.experiment.outcome import Comparison, Kind, Outcome, Why
from proxy.experiment.store import Keep, Store, StoreError, Writer
from proxy.experiment.store.keep import MOST_FINDINGS, MOST_QUERIES
from proxy.experiment.tally import Bounds, Tally
from tests.evidence import MATCH, NOON, a_finding, a_pair, mismatch, tallied
from tests.proxytest.waiting import until


@pytest.fixture
async def store(banyan_url: str) -> AsyncIterator[Store]:
    async with Store.open(banyan_url) as opened:
        yield opened


async def rows(url: str, table: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        count: int = await connection.fetchval(f"SELECT count(*) FROM banyan.{table}")
        return count
    finally:
        await connection.close()


async def test_what_is_written_is_read_as_it_was(store: Store) -> None:
    batch = tallied(
        (a_pair(), MATCH),
        (a_pair(target="/x?q=1&page[size]=2"), mismatch(a_finding(), a_finding("/body/size", 2**70, None))),
        (a_pair("boot#site", role="anonymous"), Comparison(Outcome.NOT_COMPARABLE, Why.RACED)),
        (a_pair(at=NOON + HOUR), mismatch(a_finding("/status", 200, 404, kind=Kind.STATUS))),
    )
    assert await store.write(batch)
    read = await store.evidence()
    here = Evidence.of(batch)
    assert [one.route for one in read.endpoints] == ["boot#site", "tags#index"]
    for stored, made in zip(read.endpoints, here.endpoints, strict=True):
        assert stored.outcomes == made.outcomes
        assert stored.reasons == made.reasons
        assert stored.coverage == made.coverage
        assert stored.findings == made.findings


async def test_a_batch_that_is_sent_twice_counts_once(store: Store) -> None:
    batch = tallied((a_pair(), mismatch()))
    assert await store.write(batch)
    assert not await store.write(batch)
    evidence = await store.evidence()
    assert evidence.comparisons == 1
    assert evidence.endpoints[0].findings[0].times == 1


async def test_many_writers_at_once_lose_nothing(banyan_url: str) -> None:
    """Two edges with two connections each, the same routes and findings in another order every time."""
    chance = random.Random(5)
    fields = [f"/body/field{number}" for number in range(12)]
    routes = [f"route#{number}" for number in range(8)]

    def batch() -> Batch:
        added = []
        for route in chance.sample(routes, len(routes)):
            findings = [
                a_finding(field, fingerprint=f"{route}{field}")
                for field in chance.sample(fields, len(fields))
            ]
            added.append((a_pair(route, f"/x?a{chance.randrange(9)}"), mismatch(*findings)))
        return tallied(*added)

    async with Store.open(banyan_url) as one, Store.open(banyan_url) as two:
        written = await asyncio.gather(*(edge.write(batch()) for _ in range(15) for edge in (one, two)))
        evidence = await one.evidence()
    assert all(written)
    assert evidence.comparisons == 30 * len(routes)
    for endpoint in evidence.endpoints:
        assert [found.times for found in endpoint.findings] == [30] * len(fields)
        assert all(len(found.samples) == SAMPLES for found in endpoint.findings)
        assert sum(endpoint.seen(Dimension.QUERY).values()) == 30


async def test_narrowing_by_route_group_time_and_build(store: Store) -> None:
    await store.write(
        tallied(
            (a_pair("tags#index", build="old", at=NOON - 10 * HOUR), mismatch()),
            (a_pair("tags#index", build="new", at=NOON), MATCH),
            (a_pair("tags#show", group="others"), MATCH),
            (a_pair("tags_index"), MATCH),
        )
    )
    assert [one.route for one in (await store.evidence(route="tags#*")).endpoints] == [
        "tags#index",
        "tags#show",
    ]
    assert [one.route for one in (await store.evidence(route="tags_*")).endpoints] == ["tags_index"]
    assert [one.route for one in (await store.evidence(group="others")).endpoints] == ["tags#show"]
    recent = (await store.evidence(route="tags#index", since=NOON - 5)).endpoints[0]
    assert (recent.comparisons, recent.findings) == (2 - 1, ())
    old = (await store.evidence(build="old")).endpoints
    assert [(one.route, one.comparisons, one.findings[0].times) for one in old] == [("tags#index", 1, 1)]
    assert not (await store.evidence(build="new")).endpoints[0].findings


async def test_samples_are_capped_and_stay_fresh(store: Store) -> None:
    for hour in range(9):
        await store.write(
            tallied(*[(a_pair(at=NOON + hour * HOUR + second), mismatch()) for second in range(3)])
        )
    (found,) = (await store.evidence()).endpoints[0].findings
    assert len(found.samples) == SAMPLES
    assert found.samples[-1].at >= NOON + 8 * HOUR
    assert found.times == 27


async def test_a_route_keeps_so_many_findings_and_counts_the_rest(store: Store) -> None:
    for part in range(3):
        tally = Tally(Bounds(findings_per_route=10_000))
        tally.add(a_pair(), mismatch(*(a_finding(f"/body/{part}/{number}") for number in range(400))))
        await store.write(tally.take())
    await store.write(tallied((a_pair(), mismatch(a_finding("/body/0/0"), a_finding("/body/9/9")))))
    (endpoint,) = (await store.evidence()).endpoints
    assert len(endpoint.findings) == MOST_FINDINGS
    assert endpoint.findings[0].field == "/body/0/0"
    assert [(lost.what, lost.times) for lost in endpoint.lost] == [(Loss.FINDINGS, 201)]


async def test_what_postgresql_can_not_hold_is_written_as_it_can(store: Store) -> None:
    odd = a_finding("/body/\0/\ud800", "\0", ["\ud83d", {"\0": float("inf")}])
    await store.write(tallied((a_pair(build="b\0"), mismatch(odd))))
    (found,) = (await store.evidence()).endpoints[0].findings
    assert found.field.startswith("/body/")
    assert len(found.samples) == 1


async def test_text_that_postgresql_can_not_hold_anywhere(store: Store) -> None:
    odd = "a\0b\ud800c"
    batch = tallied((a_pair(odd, odd, method=odd, role=odd, build=odd, group=odd, served=odd), mismatch()))
    sample = msgspec.structs.replace(
        batch.findings[0].samples[0],
        control={odd: odd},
        candidate=[2**80, float("inf")],
        headers=((odd, odd),),
    )
    found = msgspec.structs.replace(batch.findings[0], field=odd, samples=(sample,))
    await store.write(msgspec.structs.replace(batch, findings=(found,)))
    (endpoint,) = (await store.evidence()).endpoints
    assert endpoint.route == "a\ufffdb?c"
    assert endpoint.findings[0].samples == (sample,)


async def test_noise_of_the_edge_that_saw_most_is_kept(store: Store) -> None:
    def learned(pairs: int, sort: str) -> Batch:
        tally = Tally()
        noise = Noise("tags#index", "/body/now", Kind.VALUE, sort, pairs, pairs // 2, pairs, pairs // 2, 0.9)
        tally.add_noise([noise], NOON)
        return tally.take()

    for pairs in (50, 3):
        await store.write(learned(pairs, "timestamp"))
    (seen,) = (await store.evidence()).endpoints[0].noise
    assert (seen.sort, seen.pairs, seen.differed) == ("timestamp", 50, 25)


async def test_approvals_are_given_replaced_and_taken_back(store: Store) -> None:
    approval = Approval("f1", "ada", "a better wording", NOON, NOON + 60)
    await store.approve(approval)
    assert await store.approvals() == (approval,)
    longer = msgspec.structs.replace(approval, until=None)
    await store.approve(longer)
    assert (await store.evidence()).approvals == (longer,)
    assert await store.revoke("f1")
    assert not await store.revoke("f1")
    assert await store.approvals() == ()


async def test_what_is_old_goes_and_what_is_new_stays(store: Store, banyan_url: str) -> None:
    def batch(days_ago: float, route: str) -> Batch:
        pair = a_pair(route, at=NOON - days_ago * 86_400)
        return tallied((pair, mismatch(a_finding(fingerprint=route))))

    for days_ago, route in ((40, "old#index"), (10, "middle#index"), (0, "new#index")):
        await store.write(batch(days_ago, route))
    assert await store.expire(NOON) > 0
    evidence = await store.evidence()
    assert [one.route for one in evidence.endpoints] == ["middle#index", "new#index"]
    assert [len(one.findings[0].samples) for one in evidence.endpoints] == [0, 1]
    assert await rows(banyan_url, "shadow_series") == 2
    gone = Keep(samples=timedelta(0), counts=timedelta(0))
    await store.expire(NOON + 2 * HOUR, gone)
    assert (await store.evidence()).endpoints == ()


async def test_what_a_series_comes_to_is_the_sum_of_the_hours_that_are_kept(store: Store) -> None:
    days = (40, 31, 10, 10, 1)
    for days_ago in days:
        await store.write(tallied(*[(a_pair(at=NOON - days_ago * 86_400), MATCH)] * 3))
    assert (await store.evidence()).comparisons == 15
    assert (await store.evidence(since=NOON - 15 * 86_400)).comparisons == 9
    await store.expire(NOON)
    kept = await store.evidence()
    assert (kept.comparisons, kept.outcomes[Outcome.MATCH]) == (9, 9)
    assert (await store.evidence(since=0)).outcomes == kept.outcomes


async def test_sums_agree_with_hours_while_some_write_and_some_clean_up(store: Store) -> None:
    async def write(start: int) -> None:
        for number in range(start, start + 20):
            await store.write(tallied((a_pair(at=NOON + number * HOUR), MATCH)))

    async def clean_up() -> None:
        for number in range(20):
            await store.expire(NOON + number * HOUR, Keep(counts=timedelta(0)))

    await asyncio.gather(write(0), write(5), clean_up())
    assert (await store.evidence()).comparisons == (await store.evidence(since=0)).comparisons > 0


async def test_expiry_goes_in_steps_and_keeps_the_latest_sets_of_names(store: Store) -> None:
    tally = Tally()
    for number in range(MOST_QUERIES + 1_100):
        letters = "".join(chr(97 + int(digit)) for digit in str(number))
        tally.add(a_pair(target=f"/x?{letters}", at=NOON + number), MATCH)
    await store.write(tally.take())
    assert await store.expire(NOON) == 1_100
    (endpoint,) = (await store.evidence()).endpoints
    assert len(endpoint.seen(Dimension.QUERY)) == MOST_QUERIES


async def test_expiry_goes_on_beside_writers(store: Store) -> None:
    old = Keep(samples=timedelta(0), counts=timedelta(0))

    async def write() -> None:
        for number in range(20):
            await store.write(tallied((a_pair(at=NOON + number * HOUR), mismatch())))

    async def expire() -> None:
        for _ in range(20):
            await store.expire(NOON + 30 * HOUR, old)

    await asyncio.gather(write(), expire())
    await store.expire(NOON + 30 * HOUR, old)
    assert (await store.evidence()).comparisons == 0


async def test_a_database_without_the_schema_is_told_with_its_remedy(postgres: PostgresServer) -> None:
    async with Store.open(postgres.url()) as store:
        with pytest.raises(StoreError, match="run banyan migrate") as caught:
            await store.write(tallied((a_pair(), MATCH)))
    assert caught.value.code == "store-schema"


async def test_no_database_at_all_is_told() -> None:
    async with Store.open("postgres://x:secret@127.0.0.1:1/x") as store:
        with pytest.raises(StoreError) as caught:
            await store.evidence()
    assert caught.value.code == "store-away"
    assert "secret" not in str(caught.value)


async def test_a_writer_outlives_a_database_that_is_away() -> None:
    """Nothing is counted twice or lost: what came while it was away is written when it is back."""
    tally = Tally()
    with PostgresServer() as server:
        url = await server.create_database("evidence")
        await migrate(url)
        async with Store.open(url) as store:
            writer = Writer(tally, store, now=lambda: NOON)
            tally.add(a_pair(), MATCH)
            assert await writer.flush()
            admin = await asyncpg.connect(server.url())
            await admin.execute("ALTER DATABASE evidence ALLOW_CONNECTIONS false")
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'evidence'"
            )
            for _ in range(3):
                tally.add(a_pair(), MATCH)
                assert not await writer.flush()
            assert sum(writer.written.failures.values()) == 3
            await admin.execute("ALTER DATABASE evidence ALLOW_CONNECTIONS true")
            await admin.close()
            await writer.close()
            assert (writer.written.comparisons, writer.written.lost) == (4, 0)
            assert (await store.evidence()).comparisons == 4


async def test_a_writer_outlives_a_restart_of_postgresql_in_the_middle() -> None:
    tally = Tally()
    with PostgresServer() as server:
        url = await server.create_database("evidence")
        await migrate(url)
        admin = await asyncpg.connect(server.url())
        # The embedded server is told to be careless; what it confirmed has to be there after it fell.
        await admin.execute("ALTER DATABASE evidence SET synchronous_commit = on")
        async with Store.open(url) as store:
            writer = Writer(tally, store, now=lambda: NOON)
            for number in range(60):
                tally.add(a_pair(), mismatch())
                if number == 30:
                    # A process of its own that dies takes all of PostgreSQL down; it recovers from its log and goes on.
                    os.kill(admin.get_server_pid(), signal.SIGKILL)
                await writer.flush()
            async with asyncio.timeout(30):
                while not await writer.flush():
                    await asyncio.sleep(0.05)
            await writer.close()
            evidence = await store.evidence()
        admin.terminate()
    assert writer.written.failures
    assert (writer.written.comparisons, writer.written.lost) == (60, 0)
    assert evidence.comparisons == 60
    assert evidence.endpoints[0].findings[0].times == 60


async def test_a_writer_that_can_not_write_at_its_end_says_what_is_lost() -> None:
    tally = Tally()
    async with Store.open("postgres://x@127.0.0.1:1/x") as store:
        codes: list[str] = []
        writer = Writer(tally, store, now=lambda: NOON, failed=lambda error: codes.append(error.code))
        tally.add(a_pair(), MATCH)
        await writer.flush()
        tally.add(a_pair(), MATCH)
        await writer.close(seconds=0.3)
    assert writer.written.lost == 2
    assert set(codes) == {"store-away"}


async def test_a_batch_that_postgresql_refuses_is_given_up_and_shown(store: Store) -> None:
    tally = Tally(new_id=iter(["no uuid", "0" * 32]).__next__)
    tally.add(a_pair(), MATCH)
    writer = Writer(tally, store, now=lambda: NOON)
    assert not await writer.flush()
    assert await writer.flush()
    evidence = await store.evidence()
    assert [(lost.what, lost.times) for lost in evidence.lost] == [(Loss.COMPARISONS, 1)]
    assert writer.written.failures == {"store-broken": 1}


async def test_a_running_writer_writes_and_cleans_up_by_itself(store: Store) -> None:
    tally = Tally()
    await store.write(tallied((a_pair("old#index", at=NOON - 60 * 86_400), MATCH)))
    writer = Writer(tally, store, now=lambda: NOON, every=0.001)
    running = asyncio.create_task(writer.run())
    tally.add(a_pair(), MATCH)
    await until(lambda: writer.written.comparisons == 1)
    running.cancel()
    await asyncio.wait([running])
    await writer.close()
    assert [one.route for one in (await store.evidence()).endpoints][-1] == "tags#index"
