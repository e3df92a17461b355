# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which step of whose history is shown to whom, with records of our own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.factories import NOW, Factory
from tests.servicetest import Service

PATH = "/api/v1/versions"


async def version(service: Service, query: str, actor: Any = "anonymous") -> Any:
    (one,) = (await service.json(f"{PATH}?{query}", actor))["versions"]
    return one


async def test_index_goes_by_time_and_previous_by_id(service: Service, make: Factory) -> None:
    author = await make.user()
    thread = await make.discussion(author, private=False)
    middle, oldest, newest = [
        await make.version("Discussion", thread, created_at=NOW + timedelta(hours=hours))
        for hours in (1, 0, 2)
    ]
    await make.version("Comment", thread, created_at=NOW)  # another record with this id
    by_index = [await version(service, f"discussion_id={thread}&index={index}") for index in range(3)]
    assert [one["id"] for one in by_index] == [oldest, middle, newest]
    assert [one["previous_id"] for one in by_index] == [middle, None, oldest]
    assert (await version(service, f"discussion_id={thread}&index=-1"))["id"] == newest
    assert (await version(service, f"discussion_id={thread}&index=-3"))["id"] == oldest
    assert (await version(service, f"discussion_id={thread}"))["id"] == oldest
    assert (await version(service, f"discussion_id={thread}&index=x"))["id"] == oldest


async def test_a_place_without_a_version_is_not_found(service: Service, make: Factory) -> None:
    thread = await make.discussion(await make.user(), private=False)
    await make.version("Discussion", thread)
    for index in ("1", "-2", str(10**30), str(-(10**30))):
        answer = await service.get(f"{PATH}?discussion_id={thread}&index={index}")
        assert answer.status == 404
        assert b'"exception":"ActiveRecord::RecordNotFound"' in answer.body


async def test_changes_are_told_as_they_were_kept(service: Service, make: Factory) -> None:
    thread = await make.discussion(await make.user(), private=False)
    changes = '{"title": [null, "<b> & \\u2028"], "tags": [[], ["a"]], "ratio": [1.0, 2]}'
    await make.connection.execute(
        "INSERT INTO versions (item_type, item_id, event, created_at, object_changes)"
        " VALUES ('Discussion', $1, 'update', $2, $3::jsonb)",
        thread,
        NOW,
        changes,
    )
    one = await version(service, f"discussion_id={thread}")
    assert one["object_changes"] == {"title": [None, "<b> & \u2028"], "tags": [[], ["a"]], "ratio": [1.0, 2]}
    assert (one["whodunnit"], one["created_at"]) == (0, "2031-05-01T12:00:00.123Z")
    body = (await service.get(f"{PATH}?discussion_id={thread}")).body
    assert rb"\u003cb\u003e \u0026 \u2028" in body


async def test_every_kind_of_record_by_its_own_rules(service: Service, make: Factory) -> None:
    author, stranger = await make.user(), await make.user()
    group = await make.group()
    await make.membership(group, author)
    thread, poll = await make.discussion(author, group), await make.poll(author, group)
    records = {
        "group": ("Group", group),
        "discussion": ("Discussion", thread),
        "comment": ("Comment", await make.comment(thread, author)),
        "poll": ("Poll", poll),
        "stance": ("Stance", await make.stance(poll, author)),
        "outcome": ("Outcome", await make.outcome(poll, author)),
    }
    mine = service.signed_in(author, await make.password_of(author))
    theirs = service.signed_in(stranger, await make.password_of(stranger))
    for name, (kind, key) in records.items():
        made = await make.version(kind, key, whodunnit=author)
        one = await version(service, f"{name}_id={key}", mine)
        assert (one["id"], one["item_type"], one["item_id"], one["whodunnit"]) == (made, kind, key, author)
        denied = await service.get(f"{PATH}?{name}_id={key}", theirs)
        assert (denied.status, b"CanCan::AccessDenied" in denied.body) == (403, True)
        missing = await service.get(f"{PATH}?{name}_id=999999999", mine)
        assert (missing.status, b"ActiveRecord::RecordNotFound" in missing.body) == (404, True)


async def test_discarded_comments_have_no_history(service: Service, make: Factory) -> None:
    author = await make.user()
    comment = await make.comment(await make.discussion(author, private=False), author, discarded_at=NOW)
    await make.version("Comment", comment)
    assert await service.status(f"{PATH}?comment_id={comment}") == 403


async def test_groups_are_found_by_id_key_or_handle(service: Service, make: Factory) -> None:
    group = await make.group(key="KeyOfIt1", handle="handle-of-it", is_visible_to_public=True)
    made = await make.version("Group", group)
    for query in (
        f"group_id={group}",
        "group_key=KeyOfIt1",
        "group_id=KeyOfIt1",
        "group_id=none&id=Handle-Of-It",
    ):
        assert (await version(service, query))["id"] == made, query
    assert await service.status(f"{PATH}?group_id=handle-of-it") == 404


async def test_groups_are_seen_by_members_parents_and_holders_of_tokens(
    service: Service, make: Factory
) -> None:
    parent = await make.group()
    key, invitation = "key-of-a-group", "key-of-a-membership"
    group = await make.group(parent_id=parent, is_visible_to_parent_members=True, token=key)
    await make.version("Group", group)
    invited, member_of_parent = await make.user(), await make.user()
    membership = await make.membership(group, invited, accepted_at=None, token=invitation)
    await make.membership(parent, member_of_parent)
    path = f"{PATH}?group_id={group}"
    assert await service.status(path) == 403
    assert await service.status(path, service.signed_in(invited, await make.password_of(invited))) == 200
    parent_cookies = service.signed_in(member_of_parent, await make.password_of(member_of_parent))
    assert await service.status(path, parent_cookies) == 200
    assert await service.status(f"{path}&group_token={key}") == 200
    assert await service.status(f"{path}&membership_token={invitation}") == 200
    await make.update("memberships", membership, accepted_at=NOW)
    assert await service.status(f"{path}&membership_token={invitation}") == 403
    await make.update("groups", group, archived_at=NOW)
    assert await service.status(f"{path}&group_token={key}") == 403
    assert await service.status(path, parent_cookies) == 403


async def test_threads_and_polls_are_found_by_key_before_id(service: Service, make: Factory) -> None:
    author = await make.user()
    group = await make.group(discussion_privacy_options="public_only")
    thread, poll = await make.discussion(author, private=False), await make.poll(author, group)
    odd = await make.discussion(author, private=False, key=f"0{thread}")  # looks like a number, is a key
    for kind, key in (("Discussion", thread), ("Discussion", odd), ("Poll", poll)):
        await make.version(kind, key)
    assert (await version(service, f"discussion_id={thread}"))["item_id"] == thread
    assert (await version(service, f"discussion_id=0{thread}"))["item_id"] == odd
    assert (await version(service, f"discussion_id=%20{thread}"))["item_id"] == thread
    assert (await version(service, f"poll_id=0{poll}"))["item_id"] == poll
    assert await service.status(f"{PATH}?discussion_id={thread}x") == 404


async def test_the_first_kind_named_counts(service: Service, make: Factory) -> None:
    author = await make.user()
    thread = await make.discussion(author, private=False)
    comment = await make.comment(thread, author)
    made = await make.version("Discussion", thread)
    await make.version("Comment", comment)
    assert (await version(service, f"comment_id={comment}&discussion_id={thread}"))["id"] == made
    for query in ("", "outcome_id=", "index=0"):
        answer = await service.get(f"{PATH}?{query}")
        assert (answer.status, b"find Outcome" in answer.body) == (404, True)
