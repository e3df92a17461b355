# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whose reactions are shown to whom, with people and records of our own."""

from __future__ import annotations

from typing import Any

from services.kernel.db import Session
from tests.factories import NOW, Factory
from tests.servicetest import Service, is_of_a_request

PATH = "/api/v1/reactions"


async def cookies_of(service: Service, make: Factory, user: int) -> dict[str, str]:
    return service.signed_in(user, await make.password_of(user))


async def test_members_see_reactions_and_their_people(service: Service, make: Factory) -> None:
    author, reader = await make.user(), await make.user(name="Zoë")
    group = await make.group()
    await make.membership(group, reader)
    thread = await make.discussion(author, group)
    reaction = await make.reaction("Discussion", thread, reader)
    answer = await service.json(f"{PATH}?discussion_ids={thread}", await cookies_of(service, make, reader))
    assert answer["reactions"] == [
        {
            "id": reaction,
            "reaction": ":heart:",
            "reactable_id": thread,
            "reactable_type": "Discussion",
            "user_id": reader,
        }
    ]
    assert [person["name"] for person in answer["users"]] == ["Zoë"]
    assert answer["meta"] == {"root": "reactions", "total": None}


async def test_an_address_is_told_to_its_owner_only(service: Service, make: Factory) -> None:
    author, other = await make.user(), await make.user()
    thread = await make.discussion(author, private=False)
    await make.reaction("Discussion", thread, author)
    mine = await service.json(f"{PATH}?discussion_ids={thread}", await cookies_of(service, make, author))
    theirs = await service.json(f"{PATH}?discussion_ids={thread}", await cookies_of(service, make, other))
    assert mine["users"][0]["email"].endswith("@factory.example")
    assert "email" not in theirs["users"][0]


async def test_strangers_and_former_members_see_nothing_of_a_private_thread(
    service: Service, make: Factory
) -> None:
    author, stranger, former = await make.user(), await make.user(), await make.user()
    group = await make.group()
    await make.membership(group, former, revoked_at=NOW)
    path = f"{PATH}?discussion_ids={await make.discussion(author, group)}"
    for actor in (
        "anonymous",
        await cookies_of(service, make, stranger),
        await cookies_of(service, make, former),
    ):
        answer = await service.get(path, actor)
        assert answer.status == 403
        assert b'"exception":"CanCan::AccessDenied"' in answer.body


async def test_an_invited_member_counts_before_accepting(service: Service, make: Factory) -> None:
    author, invited = await make.user(), await make.user()
    group = await make.group()
    await make.membership(group, invited, accepted_at=None)
    thread = await make.discussion(author, group)
    assert (
        await service.status(f"{PATH}?discussion_ids={thread}", await cookies_of(service, make, invited))
        == 200
    )


async def test_members_of_the_parent_see_threads_that_are_open_to_them(
    service: Service, make: Factory
) -> None:
    author, member = await make.user(), await make.user()
    parent = await make.group()
    await make.membership(parent, member)
    closed = await make.group(parent_id=parent)
    opened = await make.group(parent_id=parent, parent_members_can_see_discussions=True)
    cookies = await cookies_of(service, make, member)
    for group, status in ((closed, 403), (opened, 200)):
        thread = await make.discussion(author, group)
        assert await service.status(f"{PATH}?discussion_ids={thread}", cookies) == status


async def test_guests_see_their_thread_signed_in_or_by_token(service: Service, make: Factory) -> None:
    author, guest = await make.user(), await make.user()
    thread = await make.discussion(author, await make.group())
    key = "key-of-a-reader"
    reader = await make.reader(thread, guest, token=key)
    path = f"{PATH}?discussion_ids={thread}"
    cookies = await cookies_of(service, make, guest)
    assert await service.status(path, cookies) == 200
    assert await service.status(f"{path}&discussion_reader_token={key}") == 200
    assert await service.status(f"{path}&discussion_reader_token=another") == 403
    await make.update("discussion_readers", reader, revoked_at=NOW)
    assert await service.status(path, cookies) == 403
    assert await service.status(f"{path}&discussion_reader_token={key}") == 403


async def test_readers_who_are_no_guests_get_in_as_members_only(service: Service, make: Factory) -> None:
    author, reader = await make.user(), await make.user()
    thread = await make.discussion(author, await make.group())
    await make.reader(thread, reader, guest=False)
    assert (
        await service.status(f"{PATH}?discussion_ids={thread}", await cookies_of(service, make, reader))
        == 403
    )


async def test_threads_discarded_or_of_archived_groups_are_gone(service: Service, make: Factory) -> None:
    author = await make.user()
    group, archived = await make.group(), await make.group(archived_at=NOW)
    cookies = await cookies_of(service, make, author)
    for owner in (group, archived):
        await make.membership(owner, author)
    kept = await make.discussion(author, group, private=False)
    discarded = await make.discussion(author, group, private=False, discarded_at=NOW)
    in_archive = await make.discussion(author, archived, private=False)
    for thread, status in ((kept, 200), (discarded, 403), (in_archive, 403)):
        assert await service.status(f"{PATH}?discussion_ids={thread}", cookies) == status


async def test_comments_count_by_their_thread_discarded_or_not(service: Service, make: Factory) -> None:
    author = await make.user()
    thread = await make.discussion(author, private=False)
    comment = await make.comment(thread, author, discarded_at=NOW)
    await make.reaction("Comment", comment, author)
    assert len((await service.json(f"{PATH}?comment_ids={comment}"))["reactions"]) == 1
    hidden = await make.comment(await make.discussion(author), author)
    assert await service.status(f"{PATH}?comment_ids={comment}x{hidden}") == 403


async def test_a_comment_without_thread_is_seen_by_nobody(service: Service, make: Factory) -> None:
    author = await make.user()
    comment = await make.comment(await make.discussion(author, private=False), author)
    await make.update("comments", comment, discussion_id=None)
    assert await service.status(f"{PATH}?comment_ids={comment}") == 403


async def test_comments_votes_and_outcomes_that_are_not_there_are_nothing(service: Service) -> None:
    for name in ("comment_ids", "stance_ids", "outcome_ids"):
        assert (await service.json(f"{PATH}?{name}=999999999"))["reactions"] == []
    for name in ("discussion_ids", "poll_ids"):
        assert await service.status(f"{PATH}?{name}=999999999") == 403


async def test_polls_are_seen_by_author_members_and_guests(service: Service, make: Factory) -> None:
    author, member, voter, stranger = [await make.user() for _ in range(4)]
    group = await make.group(archived_at=NOW)  # archival does not hide polls
    await make.membership(group, member)
    poll = await make.poll(author, group)
    await make.stance(poll, voter, guest=True)
    outcome, stance = await make.outcome(poll, author), await make.stance(poll, author)
    for query in (f"poll_ids={poll}", f"outcome_ids={outcome}", f"stance_ids={stance}"):
        for person, status in ((author, 200), (member, 200), (voter, 200), (stranger, 403)):
            cookies = await cookies_of(service, make, person)
            assert await service.status(f"{PATH}?{query}", cookies) == status
        assert await service.status(f"{PATH}?{query}") == 403


async def test_polls_of_groups_with_public_threads_only_are_public(service: Service, make: Factory) -> None:
    author = await make.user()
    poll = await make.poll(author, await make.group(discussion_privacy_options="public_only"))
    assert await service.status(f"{PATH}?poll_ids={poll}") == 200
    await make.update("polls", poll, discarded_at=NOW)
    assert await service.status(f"{PATH}?poll_ids={poll}") == 403


async def test_guests_of_a_thread_see_its_polls(service: Service, make: Factory) -> None:
    author, guest = await make.user(), await make.user()
    thread = await make.discussion(author)
    key = "key-of-another-reader"
    await make.reader(thread, guest, token=key)
    poll = await make.poll(author, discussion_id=thread)
    assert await service.status(f"{PATH}?poll_ids={poll}", await cookies_of(service, make, guest)) == 200
    assert await service.status(f"{PATH}?poll_ids={poll}&discussion_reader_token={key}") == 200


async def test_the_token_of_a_vote_alone_opens_nothing(service: Service, make: Factory) -> None:
    """Loomio compares a vote's token with the one given for a thread, where one for a vote is given too."""
    author, voter = await make.user(), await make.user()
    poll = await make.poll(author)
    key = "key-of-a-vote"
    await make.stance(poll, voter, guest=True, token=key)
    path = f"{PATH}?poll_ids={poll}"
    assert await service.status(f"{path}&stance_token={key}") == 403
    assert await service.status(f"{path}&discussion_reader_token={key}") == 403
    assert await service.status(f"{path}&stance_token=any&discussion_reader_token={key}") == 200


async def test_people_may_be_left_out(service: Service, make: Factory) -> None:
    author = await make.user()
    thread = await make.discussion(author, private=False)
    await make.reaction("Discussion", thread, author)
    answer = await service.json(f"{PATH}?discussion_ids={thread}&exclude_types=group+user")
    assert "users" not in answer
    assert answer["reactions"][0]["user_id"] == author


async def test_a_reaction_of_somebody_who_is_gone_has_no_person(service: Service, make: Factory) -> None:
    author = await make.user()
    thread = await make.discussion(author, private=False)
    await make.reaction("Discussion", thread, 999_999_999)
    answer = await service.json(f"{PATH}?discussion_ids={thread}")
    assert answer["users"] == []
    assert answer["reactions"][0]["user_id"] is None


async def test_ids_are_read_as_ruby_reads_them(service: Service, make: Factory) -> None:
    author = await make.user()
    thread = await make.discussion(author, private=False)
    await make.reaction("Discussion", thread, author)
    for spelling in (f"{thread}x{thread}", f"+{thread}", f"{thread}abc", f"{thread}xx"):
        answer = await service.json(f"{PATH}?discussion_ids={spelling.replace('+', '%2B')}")
        assert len(answer["reactions"]) == 1, spelling
    assert (await service.json(f"{PATH}?discussion_ids="))["reactions"] == []
    assert await service.status(f"{PATH}?discussion_ids={10**30}") == 403
    assert await service.status(f"{PATH}?discussion_ids={'9' * 5000}") == 403


async def test_what_rails_falls_over_is_a_bad_request(service: Service) -> None:
    for query in ("comment_ids[]=1", "comment_ids", "discussion_ids[a]=1", "x=%zz", "x=%ff", "x=%00"):
        answer = await service.get(f"{PATH}?{query}")
        assert (answer.status, answer.body) == (400, b'{"status":400,"error":"Bad Request"}'), query


async def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(
    service: Service, make: Factory, monkeypatch: Any
) -> None:
    seen: list[str] = []
    original = Session.fetch

    async def fetch(self: Session, statement: Any, arguments: Any) -> Any:
        if is_of_a_request(statement.label):
            seen.append(statement.name)
        return await original(self, statement, arguments)

    monkeypatch.setattr(Session, "fetch", fetch)
    author = await make.user()
    thread, poll = await make.discussion(author, private=False), await make.poll(author)
    comments = [await make.comment(thread, await make.user()) for _ in range(20)]
    stances = [await make.stance(poll, await make.user(), latest=False) for _ in range(20)]
    for kind, keys in (("Comment", comments), ("Stance", stances)):
        for key in keys:
            await make.reaction(kind, key, await make.user())
    query = f"comment_ids={'x'.join(map(str, comments))}&stance_ids={'x'.join(map(str, stances))}"
    answer = await service.json(f"{PATH}?{query}", await cookies_of(service, make, author))
    assert len(answer["reactions"]) == len(answer["users"]) == 40
    assert seen == [
        "account",
        "comment_places",
        "polls_of_stances",
        "discussion_facts",
        "poll_facts",
        "reactions_on",
        "authors",
    ]
