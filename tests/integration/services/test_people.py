# SPDX-License-Identifier: AGPL-3.0-or-later
"""How people are shown beside what they did."""

from __future__ import annotations

import hashlib
import urllib.parse
from typing import Any

import pytest

from contracts.corpus import Corpus
from railscompat.marshal import Symbol
from railscompat.signed_ids import SignedIds
from tests.factories import NOW, Factory
from tests.servicetest import Service


async def shown(service: Service, make: Factory, user: int, query: str = "") -> Any:
    """Somebody, as seen by the signed-out."""
    thread = await make.discussion(user, private=False)
    await make.reaction("Discussion", thread, user)
    (person,) = (await service.json(f"/api/v1/reactions?discussion_ids={thread}{query}"))["users"]
    return person


async def test_the_whole_of_an_author(service: Service, make: Factory) -> None:
    user = await make.user(
        name="Zoë",
        username="zoe",
        avatar_initials="Z",
        time_zone="Etc/Unknown",
        selected_locale="pt-BR",
        detected_locale="fr",
    )
    await make.connection.execute(
        """UPDATE users SET experiences = '{"titles": {"1": "Steward"}, "other": 1}' WHERE id = $1""", user
    )
    assert await shown(service, make, user) == {
        "id": user,
        "name": "Zoë",
        "username": "zoe",
        "avatar_initials": "Z",
        "avatar_kind": "initials",
        "thumb_url": None,
        "time_zone": "UTC",
        "locale": "pt_BR",
        "created_at": "2031-05-01T12:00:00.123Z",
        "titles": {"1": "Steward"},
        "delegates": {},
        "email_verified": True,
        "bot": False,
    }


async def test_closed_accounts(service: Service, make: Factory) -> None:
    named = await shown(service, make, await make.user(name="Left", deactivated_at=NOW))
    assert (named["name"], named["avatar_kind"], named["thumb_url"]) == ("Left", "mdi-duck", None)
    emptied = await make.user(name=None, email=None, username=None, email_verified=False, deactivated_at=NOW)
    nobody = await shown(service, make, emptied)
    assert (nobody["name"], nobody["avatar_kind"]) == ("Deleted account", "mdi-duck")
    assert "placeholder_name" not in nobody


async def test_people_without_a_name(service: Service, make: Factory) -> None:
    invited = await make.user(
        name=None, email="someone@place.example", email_verified=False, detected_locale="fr"
    )
    person = await shown(service, make, invited)
    assert (person["name"], person["avatar_kind"]) == (None, "mdi-email-outline")
    assert person["placeholder_name"] == "Utilisateur invité (place.example)"
    assert "email" not in person


async def test_gravatars_go_by_the_address_in_small_letters(service: Service, make: Factory) -> None:
    user = await make.user(email="Mixed@Case.example", avatar_kind="gravatar")
    digest = hashlib.md5(b"mixed@case.example", usedforsecurity=False).hexdigest()
    person = await shown(service, make, user)
    assert person["thumb_url"] == f"https://secure.gravatar.com/avatar/{digest}.png?d=retro&r=pg&s=128"


@pytest.mark.parametrize(
    ("filename", "content_type", "form", "name"),
    [
        ("me.JPG", "image/jpeg", "JPG", "me.JPG"),
        ("me", "image/jpeg", "jpeg", "me"),
        ("photo of / me?.png", "image/png", "png", "photo%20of%20-%20me-.png"),
        ("grün.webp", "image/webp", "png", "gr%C3%BCn.webp"),
    ],
)
async def test_uploaded_pictures_have_the_addresses_rails_makes(
    service: Service, make: Factory, corpus: Corpus, filename: str, content_type: str, form: str, name: str
) -> None:
    user = await make.user(avatar_kind="uploaded")
    blob = await make.picture(user, filename, content_type)
    path = (await shown(service, make, user))["thumb_url"]
    *start, signed_blob, signed_variation, last = path.split("/")
    assert "/".join(start) == "/rails/active_storage/representations/redirect"
    assert last == name
    assert urllib.parse.unquote(last)
    signed = SignedIds(corpus.env["SECRET_KEY_BASE"])
    assert signed.read_blob_id(signed_blob, now=corpus.recorded_at) == blob
    assert list(signed.read_variation(signed_variation, now=corpus.recorded_at).items()) == [
        (Symbol("format"), form),
        (Symbol("resize_to_limit"), [128, 128]),
        (Symbol("saver"), {Symbol("quality"): 80, Symbol("strip"): True}),
    ]


async def test_pictures_that_are_not_there_are_told_as_none(service: Service, make: Factory) -> None:
    person = await shown(service, make, await make.user(avatar_kind="uploaded"))
    assert (person["avatar_kind"], person["thumb_url"]) == ("uploaded", None)
    user = await make.user(avatar_kind="uploaded")
    await make.picture(user, "not-a-picture.zip", "application/zip")
    assert (await shown(service, make, user))["thumb_url"] is None
