# SPDX-License-Identifier: AGPL-3.0-or-later
"""The operator's words, where people read them: mails, messages of the client, names, errors."""

from __future__ import annotations

import email
import email.policy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from yarl import URL

from banyan.embedded import ValkeyServer
from contracts.compare import Answer
from contracts.corpus import Corpus
from contracts.verify import MailServer
from tests.factories import NOW, Factory
from tests.servicetest import Service, running_service

WORDS = {
    "en": {
        "profile_page": {"deleted_account": "Somebody who left"},
        "user": {"placeholder_name": "Guest of %{hostname}"},
        "email": {
            "login": {"subject": "Come in to %{site_name}", "intro_code": "For %{name} at %{site_name}:"},
            "common": {"resend": "Soon over."},
        },
        "devise": {
            "sessions": {"signed_out": "Bye."},
            "failure": {"inactive": "No more.", "locked": "Not now."},
            "mailer": {"unlock_instructions": {"subject": "Locked", "greeting": "Dear %{recipient}"}},
        },
        "auth_form": {"email_taken": "belongs to somebody"},
        "activerecord": {"errors": {"messages": {"blank": "is missing"}}},
    },
    "fr": {
        "email": {"login": {"subject": "Venez chez %{site_name}"}},
        "devise": {
            "sessions": {"signed_in": "Vous voilà."},
            "mailer": {"unlock_instructions": {"greeting": "Cher %{recipient}"}},
        },
        "activerecord": {"errors": {"messages": {"blank": "manque"}}},
    },
}


async def post(service: Service, path: str, body: Any, method: str = "POST", **more: str) -> Answer:
    jar = {"csrftoken": "same"} | more
    url = URL(f"http://127.0.0.1:{service.server.port}{path}", encoded=True)
    headers = {
        "Accept": "application/json",
        "X-CSRF-TOKEN": "same",
        "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()),
    }
    async with service.client.request(
        method, url, json=body, headers=headers, skip_auto_headers=["Accept-Encoding"]
    ) as answer:
        return Answer(answer.status, list(answer.headers.items()), await answer.read())


def cookies_of(answer: Answer) -> dict[str, str]:
    lines = [value.split(";")[0] for name, value in answer.headers if name.lower() == "set-cookie"]
    return dict(line.split("=", 1) for line in lines)


def told(answer: Answer) -> Any:
    return msgspec.json.decode(answer.body)


def read(mail: MailServer) -> tuple[str, list[str]]:
    """Subject and lines of the last mail."""
    message = email.message_from_bytes(mail.taken[-1].content, policy=email.policy.default)
    part = message.get_body(("plain",))
    assert part is not None
    return str(message["subject"]), str(part.get_content()).splitlines()


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with MailServer().listening("127.0.0.1", 0) as server:
        yield server


@pytest.fixture
async def service(
    corpus: Corpus, database_url: str, mail: MailServer, valkey: ValkeyServer, tmp_path: Path
) -> AsyncIterator[Service]:
    """The services with an operator's words; one wrong password locks."""
    (tmp_path / "words.yml").write_text(yaml.safe_dump(WORDS), "utf-8")
    more = {
        "SMTP_SERVER": "127.0.0.1",
        "SMTP_PORT": str(mail.port),
        "REDIS_URL": valkey.url(7),
        "MAX_LOGIN_ATTEMPTS": "1",
    }
    async with running_service(corpus, database_url, BANYAN_LOCALES=str(tmp_path), **more) as running:
        yield running


async def member(make: Factory, **columns: Any) -> tuple[int, str]:
    user = await make.user(**columns)
    address: str = await make.connection.fetchval("SELECT email::text FROM users WHERE id = $1", user)
    return user, address


async def test_mails_are_in_their_readers_language(service: Service, make: Factory, mail: MailServer) -> None:
    site = service.corpus.env["SITE_NAME"]
    _, address = await member(make)
    await post(service, "/api/v1/login_tokens", {"email": address})
    subject, lines = read(mail)
    assert subject == f"Come in to {site}"
    assert lines[:3] == [f"For {address} at {site}:", "", "Soon over."]
    _, french = await member(make, selected_locale="fr")
    await post(service, "/api/v1/login_tokens", {"email": french})
    subject, lines = read(mail)
    assert (subject, lines[0]) == (f"Venez chez {site}", f"For {french} at {site}:")
    for who, greeting in ((address, f"Dear {address}"), (french, f"Cher {french}")):
        await post(service, "/api/v1/sessions", {"user": {"email": who, "password": "wrong"}})
        subject, lines = read(mail)
        assert (subject, lines[0]) == ("Locked", greeting)


async def test_names_of_those_without_one(service: Service, make: Factory) -> None:
    author, _ = await member(make)
    gone = await make.user(name=None, email=None, username=None, deactivated_at=NOW)
    guest = await make.user(name=None, email="guest@far.example")
    group = await make.group()
    await make.membership(group, author)
    thread = await make.discussion(author, group)
    for who in (gone, guest):
        await make.reaction("Discussion", thread, who)
    cookies = service.signed_in(author, await make.password_of(author))
    answer = await service.json(f"/api/v1/reactions?discussion_ids={thread}", cookies)
    people = {person["id"]: person for person in answer["users"]}
    assert people[gone]["name"] == "Somebody who left"
    assert people[guest]["placeholder_name"] == "Guest of far.example"


async def test_messages_that_the_client_shows_once(service: Service, make: Factory) -> None:
    user, _ = await member(make, selected_locale="fr")
    cookies = service.signed_in(user, await make.password_of(user))
    arrived = cookies_of(await post(service, "/api/v1/sessions", {}, **cookies))
    assert (await service.json("/api/v1/boot/site", cookies | arrived))["flash"] == {"notice": "Vous voilà."}
    left = cookies_of(await post(service, "/api/v1/sessions", {}, "DELETE", **cookies))
    assert (await service.json("/api/v1/boot/site", left))["flash"] == {"notice": "Bye."}


async def test_what_is_wrong(service: Service, make: Factory) -> None:
    user, address = await member(make, locked_at=service.corpus.recorded_at.replace(tzinfo=None))
    cookies = service.signed_in(user, await make.password_of(user))
    nameless = {"user": {"email": f"new{address}", "name": ""}}
    answer = await post(service, "/api/v1/registrations?locale=fr", nameless)
    assert told(answer) == {"errors": {"name": ["manque"]}}
    taken = await post(service, "/api/v1/registrations", {"user": {"email": address}})
    assert told(taken) == {"errors": {"email": ["belongs to somebody"]}}
    assert told(await service.get("/api/v1/profile/me", cookies)) == {"error": "Not now."}
    await make.update("users", user, deactivated_at=NOW, locked_at=None)
    assert told(await service.get("/api/v1/profile/me", cookies)) == {"error": "No more."}
