# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lists of groups: what is told to whom, and how many statements it takes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.kernel.db import Session
from tests.factories import NOW, Factory
from tests.servicetest import Service, is_of_a_request

FILES = "/rails/active_storage/representations/redirect/"


async def as_member(service: Service, make: Factory, user: int) -> dict[str, str]:
    return service.signed_in(user, await make.password_of(user))


def by_id(rows: list[dict[str, Any]], key: int) -> dict[str, Any]:
    (found,) = [row for row in rows if row["id"] == key]
    return found


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements of requests, as they run."""
    seen: list[str] = []
    fetch = Session.fetch

    async def noted(self: Session, statement: Any, arguments: list[Any]) -> list[Any]:
        if is_of_a_request(statement.label):
            seen.append(statement.label)
        return await fetch(self, statement, arguments)

    monkeypatch.setattr(Session, "fetch", noted)
    return seen


async def test_members_see_their_membership_tags_and_the_group_above(service: Service, make: Factory) -> None:
    above, me, boss = await make.group(name="Above"), await make.user(), await make.user()
    group = await make.group(name="Within", parent_id=above)
    mine = await make.membership(group, me, inviter_id=boss, volume=3)
    await make.membership(above, boss)
    tag = await make.insert("tags", group_id=group, name="plums", color="#abc")
    await make.insert("tags", group_id=above, name="hidden", color="#abc")
    told = await service.json(f"/api/v1/groups?xids={group}", await as_member(service, make, me))
    (row,) = told["groups"]
    assert (row["full_name"], row["group_privacy"]) == ("Above - Within", "secret")
    assert (row["parent_id"], row["current_user_membership_id"], row["tag_ids"]) == (above, mine, [tag])
    assert "org_members_count" not in row  # a group within another has no organisation of its own
    (parent,) = told["parent_groups"]
    assert (parent["id"], parent["current_user_membership_id"], "tag_ids" in parent) == (above, None, False)
    assert parent["org_members_count"] == 2
    (membership,) = told["memberships"]
    assert (membership["volume"], membership["inviter_id"], membership["group_id"]) == ("loud", boss, group)
    assert [one["name"] for one in told["tags"]] == ["plums"]
    people = {one["id"]: one for one in told["users"]}
    assert people.keys() == {me, boss}
    # A member is told with more than the one who invited.
    assert ("short_bio" in people[me], "short_bio" in people[boss]) == (True, False)
    assert ("email" in people[me], "email" in people[boss]) == (True, False)
    assert told["meta"] == {"root": "groups", "total": 1}


async def test_what_is_excluded_is_not_told(service: Service, make: Factory) -> None:
    above, me = await make.group(), await make.user()
    group = await make.group(parent_id=above)
    await make.membership(group, me)
    await make.insert("tags", group_id=group, name="plums", color="#abc")
    path, cookies = f"/api/v1/groups?xids={group}&exclude_types=", await as_member(service, make, me)
    without = {
        "parent": {"parent_groups"},
        "tag": {"tags"},
        "user": {"users"},
        # Whoever wants no memberships is told no tags of secret groups either.
        "membership": {"memberships", "users", "tags"},
    }
    whole = (await service.json(path, cookies)).keys()
    for kind, roots in without.items():
        assert whole - (await service.json(path + kind, cookies)).keys() == roots, kind
    assert "parent_id" not in (await service.json(path + "parent", cookies))["groups"][0]


async def test_subgroups_are_those_that_are_seen(service: Service, make: Factory) -> None:
    above, member, stranger = (
        await make.group(is_visible_to_public=True),
        await make.user(),
        await make.user(),
    )
    await make.membership(above, member)
    public = await make.group(parent_id=above, is_visible_to_public=True)
    within = await make.group(parent_id=above, is_visible_to_parent_members=True)
    await make.group(parent_id=above)
    await make.group(parent_id=above, is_visible_to_public=True, archived_at=NOW)
    path = f"/api/v1/groups/{above}/subgroups"

    async def seen(actor: dict[str, str] | str) -> set[int]:
        return {row["id"] for row in (await service.json(path, actor))["groups"]}

    assert await seen("anonymous") == {public}
    assert await seen(await as_member(service, make, stranger)) == {public}
    assert await seen(await as_member(service, make, member)) == {public, within}
    secret = await make.group()
    assert await service.status(f"/api/v1/groups/{secret}/subgroups") == 403
    assert await service.status("/api/v1/groups/no-such-group/subgroups") == 404


async def test_my_groups_are_those_i_see_from_inside(service: Service, make: Factory) -> None:
    me, other = await make.user(), await make.user()
    mine, left, archived = await make.group(), await make.group(), await make.group(archived_at=NOW)
    within = await make.group(parent_id=mine, is_visible_to_parent_members=True)
    await make.group(parent_id=mine)
    await make.group(is_visible_to_public=True)
    guest_at = await make.group()
    for group in (mine, archived):
        await make.membership(group, me)
    await make.membership(left, me, revoked_at=NOW)
    await make.reader(await make.discussion(other, guest_at), me)
    told = await service.json("/api/v1/profile/groups", await as_member(service, make, me))
    assert {row["id"] for row in told["groups"]} == {mine, within, guest_at}
    assert told["meta"] == {"root": "groups", "total": None}
    # Told as to nobody in particular: not even one's own address.
    assert "email" not in by_id(told["users"], me)
    assert (await service.json("/api/v1/profile/groups"))["groups"] == []


async def test_the_directory_has_pages_and_orders(service: Service, make: Factory) -> None:
    word = "directoryword"
    groups = [
        await make.group(
            name=f"{word} {number}", listed_in_explore=True, memberships_count=10 - number, created_at=NOW
        )
        for number in range(3)
    ]
    path = f"/api/v1/groups?q={word.upper()}"

    async def listed(more: str) -> list[int]:
        told = await service.json(path + more)
        assert told["meta"]["total"] == len(groups)
        return [row["id"] for row in told["groups"]]

    assert await listed("") == groups
    assert await listed("&order=memberships_count_asc") == groups[::-1]
    assert await listed("&order=nonsense") == groups
    assert await listed("&from=1&per=1") == groups[1:2]
    assert await listed("&per=0") == []
    for wrong in ("&per=-1", "&from=-1"):
        assert await service.status(path + wrong) == 400


async def test_pictures_are_the_groups_own_or_those_of_the_group_above(
    service: Service, make: Factory
) -> None:
    above = await make.group(is_visible_to_public=True)
    bare = await make.group(parent_id=above, is_visible_to_public=True)
    own = await make.group(parent_id=above, is_visible_to_public=True)
    await make.file("Group", above, "logo", "above.png", "image/png")
    await make.file("Group", above, "cover_photo", "cover7.jpg", "image/jpeg")
    await make.file("Group", own, "logo", "own.png", "image/png")
    await make.file("Group", own, "cover_photo", "page.pdf", "application/pdf")
    told = (await service.json(f"/api/v1/groups?xids={bare}x{own}"))["groups"]
    from_above, of_own = by_id(told, bare), by_id(told, own)
    assert from_above["logo_url"].startswith(FILES)
    assert from_above["logo_url"].endswith("/above.png")
    assert from_above["cover_url"].endswith("/cover7.jpg")
    assert of_own["logo_url"].endswith("/own.png")
    assert of_own["cover_url"].endswith("/cover7.jpg")  # no picture can be made of its own
    assert (from_above["has_custom_cover_photo"], of_own["has_custom_cover_photo"]) == (True, True)
    told = (await service.json(f"/api/v1/groups?xids={above}"))["groups"]
    assert by_id(told, above)["has_custom_cover_photo"] is False


async def test_subscriptions_are_told_as_they_are_or_as_new(service: Service, make: Factory) -> None:
    async def told(**columns: Any) -> dict[str, Any]:
        subscription = await make.insert("subscriptions", **columns) if columns else None
        group = await make.group(is_visible_to_public=True, subscription_id=subscription)
        (row,) = (await service.json(f"/api/v1/groups?xids={group}"))["groups"]
        subscribed: dict[str, Any] = row["subscription"]
        return subscribed

    new = await told()
    assert (new["plan"], new["state"], new["active"], new["allow_subgroups"]) == (
        "free",
        "active",
        True,
        True,
    )
    over = await told(plan="pro", expires_at=NOW.replace(year=2001), max_members=5)
    assert (over["active"], over["max_members"], over["expires_at"]) == (False, 5, "2001-05-01T12:00:00.123Z")
    assert (await told(plan="pro", expires_at=NOW.replace(year=2099)))["active"] is True
    assert (await told(plan="pro", state="canceled"))["active"] is False


async def test_more_groups_take_no_more_statements(
    service: Service, make: Factory, statements: list[str]
) -> None:
    me = await make.user()
    groups: list[int] = []

    async def more(number: int) -> None:
        for _ in range(number):
            above = await make.group()
            group = await make.group(parent_id=above)
            await make.membership(group, me, inviter_id=await make.user())
            await make.membership(above, me)
            await make.insert("tags", group_id=group, name="plums", color="#abc")
            groups.append(group)

    async def asked() -> list[str]:
        statements.clear()
        path = f"/api/v1/groups?xids={'x'.join(map(str, groups))}"
        told = msgspec.json.decode((await service.get(path, await as_member(service, make, me))).body)
        assert len(told["groups"]) == len(told["parent_groups"]) == len(groups)
        return sorted(statements)

    await more(1)
    once = await asked()
    assert len(once) <= 9
    await more(9)
    assert await asked() == once
