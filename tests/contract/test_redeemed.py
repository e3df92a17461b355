# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an invitation does to the rows, beside the recordings of those who followed one.

The steps before (inviting, the page that a link leads to) are other verticals': what they left is laid out from the
recorded rows, and any request of the invited brings the token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from banyan.embedded import ValkeyServer
from contracts.corpus import Corpus, Write
from contracts.verify import Database, Published
from tests.servicetest import Service, running_service

ANY = "/api/v1/boot/version"
LINKS = re.compile(
    r"/(?P<membership>invitations)/(\w+)|/(?P<group>join/group)/(\w+)"
    r"|[?&](?P<reader>discussion_reader_token)=(\w+)|[?&](?P<stance>stance_token)=(\w+)"
)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")
TABLES = ("memberships", "discussion_readers", "stances")
NOT_ACCEPTED = {"accepted_at": None}
PENDING = {"memberships": {}, "discussion_readers": {}, "stances": {"reason": None, "versions_count": 0}}
"""What is undone of a recorded row, beside whose it is and that it was accepted."""


class Followed(msgspec.Struct):
    """A recorded case in which somebody signed in followed a link."""

    case: Write
    kind: str
    token: str
    actor: str

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The recorded new rows of a table."""
        effect = self.case.rows.get(table)
        return [] if effect is None else effect.insert

    def groups(self) -> list[int]:
        """Where somebody is a member now, in one way or another."""
        gone = [one["object_changes"]["group_id"][0] for one in self.versions() if one["event"] == "destroy"]
        return gone + [row["group_id"] for row in self.rows("memberships")]

    def versions(self) -> list[dict[str, Any]]:
        return [one for one in self.rows("versions") if one["item_type"] in ("Membership", "Stance")]


def followed(corpus: Corpus) -> Iterator[Followed]:
    for case in corpus.writes():
        for step in case.steps:
            found = LINKS.search(step.request.path)
            if found and step.actor in corpus.world.actors and step.request.method == "GET":
                kind = next(name for name, text in found.groupdict().items() if text)
                token = next(text for text in reversed(found.groups()) if text)
                yield Followed(case, kind, token, step.actor)


def told_of(one: Followed) -> list[dict[str, Any]]:
    return [row for row in one.rows("events") if row["kind"] == "invitation_accepted"]


def masked(value: Any) -> Any:
    """Without moments: no two runs have the same."""
    return msgspec.json.decode(MOMENT.sub("T", msgspec.json.encode(value).decode()))


async def put(connection: Any, table: str, row: dict[str, Any]) -> None:
    statement = f'INSERT INTO "{table}" SELECT * FROM jsonb_populate_record(null::"{table}", $1::jsonb)'
    await connection.execute(statement, msgspec.json.encode(row).decode())


async def lay_out(connection: Any, one: Followed) -> None:
    """The rows as they were when the link was followed."""
    invited = [row["id"] for row in one.rows("users")]
    for row in one.rows("users"):
        await put(connection, "users", row)
    for table in TABLES:
        for row in one.rows(table):
            if row["token"] != one.token:
                continue
            owner = "participant_id" if table == "stances" else "user_id"
            before = (
                row | PENDING[table] | NOT_ACCEPTED | {owner: invited[0], "updated_at": row["created_at"]}
            )
            await put(connection, table, before)
    for version in one.versions():
        if version["event"] == "destroy":  # made by the steps before, and gone at the end
            told = {name: pair[0] for name, pair in version["object_changes"].items()}
            columns = (
                "id, token, group_id, user_id, inviter_id, volume, created_at, updated_at",
                "$1, $2, $3, $4, $5, 2, now(), now()",
            )
            await connection.execute(
                f"INSERT INTO memberships ({columns[0]}) VALUES ({columns[1]})",
                version["item_id"],
                one.token,
                told["group_id"],
                told["user_id"],
                told["inviter_id"],
            )


async def follow(service: Service, connection: Any, one: Followed) -> None:
    user = service.corpus.world.actors[one.actor].id
    password = await connection.fetchval("SELECT encrypted_password FROM users WHERE id = $1", user)
    path, waiting = ANY, {}
    match one.kind:
        case "membership" | "group":
            waiting = {f"pending_{one.kind}_token": one.token}
        case "reader":
            path += f"?discussion_reader_token={one.token}"
        case "stance":
            path += f"?stance_token={one.token}"
    answer = await service.get(path, service.signed_in(user, password, **waiting))
    assert answer.status == 200, answer.body


async def new_rows(connection: Any, table: str, after: int) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        f'SELECT to_jsonb(t) AS row FROM "{table}" t WHERE id > $1 ORDER BY id', after
    )
    return [msgspec.json.decode(row["row"]) for row in rows]


async def check_rows(connection: Any, one: Followed, versions: int, events: int) -> None:
    for table in TABLES:
        for row in one.rows(table):
            if row["token"] == one.token or (one.kind == "group" and table == "memberships"):
                own = await connection.fetchval(
                    f'SELECT to_jsonb(t) FROM "{table}" t WHERE id = $1', row["id"]
                )
                assert masked(msgspec.json.decode(own) | {"token": row["token"]}) == masked(row), one.case.id
    own_versions = await new_rows(connection, "versions", versions)
    apart = {"id", "created_at"}
    assert [masked(without(row, apart)) for row in own_versions] == [
        masked(without(row, apart)) for row in one.versions()
    ], one.case.id
    own_events = await new_rows(connection, "events", events)
    apart |= {"updated_at", "eventable_version_id"}
    assert [without(row, apart) for row in own_events] == [without(row, apart) for row in told_of(one)], (
        one.case.id
    )
    assert all(row["eventable_version_id"] == own_versions[-1]["id"] for row in own_events)


async def check_counts(connection: Any, one: Followed) -> None:
    for table in ("groups", "users"):
        effect = one.case.rows.get(table)
        for updated in effect.update if effect else []:
            if "memberships_count" in updated.set:
                number = await connection.fetchval(
                    f'SELECT memberships_count FROM "{table}" WHERE id = $1', updated.key["id"]
                )
                assert number == updated.set["memberships_count"][1], one.case.id


async def check_jobs(connection: Any, queue: Redis, one: Followed, events: int) -> None:
    """Sidekiq adds voters and tells of the event; its work is what else was recorded."""
    expected: list[tuple[str, list[Any]]] = [
        ("GenericWorker", ["PollService", "group_members_added", group_id]) for group_id in one.groups()
    ]
    expected += [("PublishEventWorker", [row["id"]]) for row in await new_rows(connection, "events", events)]
    for job in expected:
        taken = await queue.brpop(["queue:default"], timeout=10)
        assert taken is not None, one.case.id
        found = msgspec.json.decode(taken[1])
        assert (found["class"], found["args"]) == job, one.case.id
    assert await queue.llen("queue:default") == 0


async def counts(connection: Any) -> list[int]:
    return [
        await connection.fetchval(f'SELECT count(*) FROM "{table}"')
        for table in (*TABLES, "versions", "events")
    ]


def without(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


@pytest.mark.parametrize("kind", ["membership", "group", "reader", "stance"])
async def test_links_do_to_the_rows_what_was_recorded(
    corpus: Corpus, sample_url: str, valkey: ValkeyServer, kind: str
) -> None:
    cases = [one for one in followed(corpus) if one.kind == kind]
    assert cases
    redis_url = valkey.url(6)
    database = await Database.open(sample_url, corpus, overwrite=True)
    connection = await asyncpg.connect(sample_url)
    async with (
        Published((redis_url,), overwrite=True),
        Redis.from_url(redis_url) as queue,
        running_service(corpus, sample_url, REDIS_URL=redis_url) as service,
    ):
        for one in cases:
            await database.restore()
            await lay_out(connection, one)
            versions, events = [
                await connection.fetchval(f'SELECT max(id) FROM "{table}"')
                for table in ("versions", "events")
            ]
            await follow(service, connection, one)
            await check_rows(connection, one, versions, events)
            await check_counts(connection, one)
            await check_jobs(connection, queue, one, events)
            before = await counts(connection)
            await follow(service, connection, one)  # once is enough
            assert await counts(connection) == before
    await connection.close()
    await database.close()
