# SPDX-License-Identifier: AGPL-3.0-or-later
"""The members of a group, for the programs of its admins."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import structlog

from contracts.corpus import Corpus
from tests.factories import NOW, Factory
from tests.servicetest import Service, is_of_a_request, running_service

PATH = "/api/b2/memberships"


async def admins_key(make: Factory, group: int, **membership: object) -> str:
    """The key of a new admin of the group."""
    admin = await make.user(api_key=f"key-of-an-admin-of-{group}")
    await make.membership(group, admin, **{"admin": True} | membership)
    return f"key-of-an-admin-of-{group}"


async def test_admins_are_told_everybody_with_addresses(service: Service, make: Factory) -> None:
    group = await make.group()
    key = await admins_key(make, group)
    inviter, left = await make.user(), await make.user()
    member = await make.membership(group, left, revoked_at=NOW, inviter_id=inviter)
    answer = await service.json(f"{PATH}?api_key={key}&group_id={group}")
    assert answer["meta"] == {"root": "memberships", "total": 2}
    assert member in {one["id"] for one in answer["memberships"]}
    people = {person["id"]: person["email"] for person in answer["users"]}
    assert people.keys() >= {inviter, left}
    assert all(people.values())
    assert [one["id"] for one in answer["groups"]] == [group]
    assert answer["groups"][0]["current_user_membership_id"] is None  # Loomio does not look it up here


async def test_others_are_refused(service: Service, make: Factory) -> None:
    group = await make.group()
    path = f"{PATH}?group_id={group}&api_key="
    await make.membership(group, await make.user(api_key="key-of-a-member"))
    await make.user(api_key="key-of-the-site", is_admin=True)
    assert await service.status(f"{path}key-of-a-member") == 403
    assert await service.status(f"{path}key-of-the-site") == 200
    key = await admins_key(make, group)
    assert await service.status(path + key) == 200
    await make.update("groups", group, archived_at=NOW)
    assert await service.status(path + key) == 403
    assert await service.status(f"{path}key-of-the-site") == 200
    revoked = await make.group()
    former = await admins_key(make, revoked, revoked_at=NOW)
    assert await service.status(f"{PATH}?group_id={revoked}&api_key={former}") == 403


async def test_pages_and_times(service: Service, make: Factory) -> None:
    group = await make.group()
    key = await admins_key(make, group, created_at=NOW - timedelta(days=9))
    for days in (3, 2, 1):
        await make.membership(group, await make.user(), created_at=NOW - timedelta(days=days))
    path = f"{PATH}?api_key={key}&group_id={group}"

    async def number(query: str) -> tuple[int, int]:
        answer = await service.json(path + query)
        return len(answer["memberships"]), answer["meta"]["total"]

    since, until = (
        (NOW - timedelta(days=2, hours=1)).isoformat(),
        (NOW - timedelta(days=1, hours=1)).isoformat(),
    )
    assert await number("") == (4, 4)
    assert await number("&per=2&from=3") == (1, 4)
    assert await number("&from=9") == (0, 4)
    assert await number(f"&since={since}") == (2, 2)
    assert await number(f"&until={until}Z") == (3, 3)
    assert await number(f"&since={since}&until={until}") == (1, 1)
    assert await number(f"&since={since}&timeframe_for=revoked_at") == (0, 0)
    for odd in ("&since=", "&since=yesterday", "&per=-1", "&timeframe_for=1;drop", "&group_id[]=1"):
        assert await service.status(path + odd) == 400, odd


async def test_however_many_there_are_the_statements_are_as_many(
    corpus: Corpus, database_url: str, make: Factory
) -> None:
    async with running_service(corpus, database_url, BANYAN_SLOW_QUERY_MS="0") as service:
        counts = []
        for members in (1, 12):
            group = await make.group(parent_id=await make.group())
            key = await admins_key(make, group)
            for _ in range(members):
                await make.membership(group, await make.user(), inviter_id=await make.user())
            with structlog.testing.capture_logs() as lines:
                answer = await service.get(f"{PATH}?api_key={key}&group_id={group}")
            assert len(msgspec.json.decode(answer.body)["memberships"]) == members + 1
            ran = [line["statement"] for line in lines if line["event"] == "slow query"]
            counts.append(len([label for label in ran if is_of_a_request(label)]))
    assert counts[0] == counts[1] <= 9
