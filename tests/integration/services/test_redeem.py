# SPDX-License-Identifier: AGPL-3.0-or-later
"""Invitations that are followed while signed in: whose they become, once, and whose they do not."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.factories import NOW, Factory
from tests.servicetest import Service

ANY = "/api/v1/boot/version"


async def signed_in(service: Service, make: Factory, user: int, **waiting: str) -> dict[str, str]:
    return service.signed_in(user, await make.password_of(user), **waiting)


async def unverified(make: Factory) -> int:
    return await make.user(email_verified=False, name=None)


async def row(make: Factory, table: str, key: int, *columns: str) -> tuple[Any, ...] | None:
    found = await make.connection.fetchrow(f'SELECT {", ".join(columns)} FROM "{table}" WHERE id = $1', key)
    return None if found is None else tuple(found)


def accepted_at(service: Service, moment: datetime | None) -> bool:
    now = service.corpus.recorded_at.replace(tzinfo=None)
    return moment is not None and now <= moment < now + timedelta(minutes=5)


async def test_a_guest_of_a_thread_comes_as_whoever_is_signed_in(service: Service, make: Factory) -> None:
    me, invited = await make.user(), await unverified(make)
    thread = await make.discussion(await make.user())
    reader = await make.reader(thread, invited, token=f"r{thread}")
    answer = await service.get(f"{ANY}?discussion_reader_token=r{thread}", await signed_in(service, make, me))
    assert answer.status == 200
    found = await row(make, "discussion_readers", reader, "user_id", "accepted_at")
    assert found is not None
    assert found[0] == me
    assert accepted_at(service, found[1])


async def test_a_token_waits_in_the_session_until_somebody_is_signed_in(
    service: Service, make: Factory
) -> None:
    me, invited = await make.user(), await unverified(make)
    thread = await make.discussion(await make.user())
    reader = await make.reader(thread, invited, token=f"r{thread}")
    cookies = await signed_in(service, make, me, pending_discussion_reader_token=f"r{thread}")
    answer = await service.get(ANY, cookies)
    assert any(value.startswith("_loomio=") for name, value in answer.headers if name.lower() == "set-cookie")
    assert await row(make, "discussion_readers", reader, "user_id") == (me,)


async def test_who_reads_the_thread_already_keeps_their_place(service: Service, make: Factory) -> None:
    me, invited, inviter = await make.user(), await unverified(make), await make.user()
    thread = await make.discussion(await make.user(), members_count=2)
    mine = await make.reader(thread, me, guest=False)
    other = await make.reader(thread, invited, token=f"r{thread}", inviter_id=inviter)
    await service.get(f"{ANY}?discussion_reader_token=r{thread}", await signed_in(service, make, me))
    assert await row(make, "discussion_readers", other, "id") is None
    assert await row(make, "discussion_readers", mine, "inviter_id", "guest") == (inviter, False)
    assert await row(make, "discussions", thread, "members_count") == (1,)


@pytest.mark.parametrize(
    "reader", [{"revoked_at": NOW}, {"accepted_at": NOW}, {"guest": False}, {"token": "another"}]
)
async def test_a_place_that_is_not_to_be_had(service: Service, make: Factory, reader: dict[str, Any]) -> None:
    me, invited = await make.user(), await unverified(make)
    thread = await make.discussion(await make.user())
    token = f"r{thread}"
    place = await make.reader(
        thread,
        invited,
        **{"token": token}
        | {name: f"{value}{thread}" if name == "token" else value for name, value in reader.items()},
    )
    await service.get(f"{ANY}?discussion_reader_token={token}", await signed_in(service, make, me))
    assert await row(make, "discussion_readers", place, "user_id") == (invited,)


async def test_nobody_takes_the_place_of_somebody_known(service: Service, make: Factory) -> None:
    me, known = await make.user(), await make.user()
    thread = await make.discussion(await make.user())
    place = await make.reader(thread, known, token=f"r{thread}")
    poll = await make.poll(await make.user())
    vote = await make.stance(poll, known, token=f"s{poll}", inviter_id=known)
    cookies = await signed_in(service, make, me)
    await service.get(f"{ANY}?discussion_reader_token=r{thread}&stance_token=s{poll}", cookies)
    assert await row(make, "discussion_readers", place, "user_id") == (known,)
    assert await row(make, "stances", vote, "participant_id") == (known,)
    await service.get(f"{ANY}?discussion_reader_token=r{thread}", await signed_in(service, make, known))
    found = await row(make, "discussion_readers", place, "user_id", "accepted_at")
    assert found is not None
    assert accepted_at(service, found[1])


@pytest.mark.parametrize("mine", [{}, {"revoked_at": NOW}])
async def test_who_has_or_had_a_vote_gets_no_other(
    service: Service, make: Factory, mine: dict[str, Any]
) -> None:
    me, invited = await make.user(), await unverified(make)
    poll = await make.poll(await make.user())
    await make.stance(poll, me, **mine)
    vote = await make.stance(poll, invited, token=f"s{poll}", inviter_id=me)
    cookies = await signed_in(service, make, me)
    assert await service.status(f"{ANY}?stance_token=s{poll}", cookies) == 200
    assert await row(make, "stances", vote, "participant_id") == (invited,)


async def test_an_invitation_brings_all_of_the_organisation(service: Service, make: Factory) -> None:
    me, invited = await make.user(), await unverified(make)
    top = await make.group()
    groups = [top, *[await make.group(parent_id=top) for _ in range(2)]]
    archived = await make.group(parent_id=top, archived_at=NOW)
    elsewhere = await make.group()
    places = [
        await make.membership(group, invited, accepted_at=None, token=f"m{group}")
        for group in (*groups, archived, elsewhere)
    ]
    await make.update("memberships", places[2], accepted_at=NOW)  # the second subgroup: accepted before
    thread, poll = await make.discussion(me, top), await make.poll(me, top)
    reader = await make.reader(thread, me, revoked_at=NOW, revoker_id=me)
    vote = await make.stance(poll, me, guest=True, revoked_at=NOW, revoker_id=me)
    cookies = await signed_in(service, make, me)
    assert await service.status(f"{ANY}?membership_token=m{groups[1]}", cookies) == 200
    owners = [await row(make, "memberships", place, "user_id") for place in places]
    assert owners == [(me,), (me,), (invited,), (invited,), (invited,)]
    assert await row(make, "discussion_readers", reader, "guest", "revoked_at") == (False, None)
    assert await row(make, "stances", vote, "guest", "revoked_at", "revoker_id") == (False, None, None)
    assert await row(make, "users", me, "memberships_count") == (2,)


async def test_who_was_removed_comes_back_by_an_invitation(service: Service, make: Factory) -> None:
    me, invited, inviter = await make.user(), await unverified(make), await make.user()
    group = await make.group(memberships_count=1, pending_memberships_count=1)
    mine = await make.membership(group, me, revoked_at=NOW, revoker_id=inviter)
    other = await make.membership(group, invited, accepted_at=None, token=f"m{group}", inviter_id=inviter)
    await service.get(f"{ANY}?membership_token=m{group}", await signed_in(service, make, me))
    assert await row(make, "memberships", other, "id") is None
    assert await row(make, "memberships", mine, "revoked_at", "revoker_id", "inviter_id") == (
        None,
        None,
        inviter,
    )
    counts = await row(make, "groups", group, "memberships_count", "pending_memberships_count")
    assert counts == (1, 0)


async def test_a_shared_link_lets_in_once_however_often_it_is_followed(
    service: Service, make: Factory
) -> None:
    me = await make.user(default_membership_volume=1)
    group = await make.group(token=f"link{me}")
    cookies = await signed_in(service, make, me, pending_group_token=f"link{me}")
    answers = await asyncio.gather(*(service.get(ANY, cookies) for _ in range(5)))
    assert {answer.status for answer in answers} == {200}
    rows = await make.connection.fetch(
        "SELECT volume, accepted_at IS NOT NULL AS accepted FROM memberships WHERE group_id = $1", group
    )
    assert [tuple(one) for one in rows] == [(1, True)]
    events = await make.connection.fetchval(
        "SELECT count(*) FROM events WHERE kind = 'invitation_accepted' AND user_id = $1", me
    )
    assert events == 1


async def test_an_invitation_is_accepted_by_one_of_two_at_the_same_time(
    service: Service, make: Factory
) -> None:
    people, invited = [await make.user() for _ in range(2)], await unverified(make)
    group = await make.group()
    place = await make.membership(group, invited, accepted_at=None, token=f"m{group}")
    jars = [await signed_in(service, make, one) for one in people]
    answers = await asyncio.gather(*(service.get(f"{ANY}?membership_token=m{group}", jar) for jar in jars))
    assert {answer.status for answer in answers} == {200}
    owner = await row(make, "memberships", place, "user_id")
    assert owner is not None
    assert owner[0] in people
    number = await make.connection.fetchval("SELECT count(*) FROM memberships WHERE group_id = $1", group)
    assert number == 1


async def test_a_comparison_redeems_nothing(service: Service, make: Factory) -> None:
    me, invited = await make.user(), await unverified(make)
    group = await make.group()
    place = await make.membership(group, invited, accepted_at=None, token=f"m{group}")
    cookies = await signed_in(service, make, me)
    answer = await service.get(f"{ANY}?membership_token=m{group}", cookies, {"X-Banyan-Shadow": "1"})
    assert answer.status == 409
    assert await row(make, "memberships", place, "user_id") == (invited,)
