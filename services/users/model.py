# SPDX-License-Identifier: AGPL-3.0-or-later
"""A person as an author, and what is derived from the row."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from services.kernel import locales
from services.kernel.files import Blob, StoredFiles
from services.kernel.texts import Texts

THUMBNAIL_PIXELS = 128


class Author(msgspec.Struct, frozen=True):
    """A row of `users`, with the picture's blob if there is one."""

    id: int
    name: str | None
    email: str | None
    username: str | None
    avatar_initials: str | None
    avatar_kind: str
    time_zone: str | None
    selected_locale: str | None
    detected_locale: str | None
    created_at: datetime | None
    experiences: Any
    email_verified: bool
    bot: bool
    deactivated_at: datetime | None
    avatar_blob_id: int | None
    avatar_filename: str | None
    avatar_content_type: str | None


def shown_name(person: Author, say: Callable[[str], str]) -> str | None:
    """The name; for closed and emptied accounts a label; None for those who never gave one."""
    if person.name is None and person.deactivated_at is not None:
        return say("profile_page.deleted_account")
    return person.name


def placeholder_name(texts: Texts, language: str, email: str | None) -> str:
    """What to call somebody who was invited and has not come yet: no more than the host of the address."""
    return texts.say("user.placeholder_name", language, hostname=(email or "").rpartition("@")[2])


def is_nameless(person: Author) -> bool:
    """Whether there is neither a name nor a label in its place."""
    return person.name is None and person.deactivated_at is None


def language(person: Author) -> str:
    """The language they chose, else the one their browser asked for, else English."""
    return locales.first_supported([person.selected_locale, person.detected_locale])


def time_zone(person: Author) -> str:
    """Their time zone; UTC where it is not known."""
    return "UTC" if person.time_zone in (None, "Etc/Unknown") else str(person.time_zone)


def picture_kind(person: Author) -> str:
    """How their picture is made: `uploaded`, `gravatar`, `initials`, or the icon of a closed or nameless account."""
    if person.deactivated_at is not None:
        return "mdi-duck"
    return "mdi-email-outline" if person.name is None else person.avatar_kind


def picture_url(person: Author, pixels: int, files: StoredFiles) -> str | None:
    """Where their picture is; None where it is drawn by the client, or recorded and not there."""
    kind = picture_kind(person)
    if kind == "gravatar":
        digest = hashlib.md5((person.email or "").lower().encode(), usedforsecurity=False).hexdigest()
        return f"https://secure.gravatar.com/avatar/{digest}.png?d=retro&r=pg&s={pixels}"
    if kind == "uploaded" and person.avatar_blob_id is not None:
        blob = Blob(person.avatar_blob_id, person.avatar_filename or "", person.avatar_content_type)
        return files.image(blob, pixels)
    return None


class Person(Author, frozen=True):
    """A row of `users` as its owner sees it."""

    short_bio: str
    short_bio_format: str
    content_locale: str | None
    location: str
    has_password: bool
    autodetect_time_zone: bool
    attachments: Any
    date_time_pref: str | None
    complaints_count: int
    sign_in_count: int | None
    email_when_proposal_closing_soon: bool
    email_catch_up_day: int | None
    email_when_mentioned: bool
    email_on_participation: bool
    default_membership_volume: int
    email_newsletter: bool
    is_admin: bool | None
    memberships_count: int
    secret_token: str
    auto_translate: bool
    legal_accepted_at: datetime | None
    unsubscribe_token: str | None


VOLUMES = ("mute", "quiet", "normal", "loud")
"""How much mail somebody wants, as columns count it."""

PICTURE_PIXELS = 512


def email_status(person: Person | None) -> str:
    """Whether an address is somebody's: `active`, `inactive` where the account is closed, `unused`."""
    if person is None:
        return "unused"
    return "active" if person.deactivated_at is None else "inactive"


def initials(name: str | None, email: str | None, *, is_closed: bool = False) -> str:
    """Letters in place of a picture: of the name's words, else the address' first two (plain letters only)."""
    if is_closed:
        letters = "DU"
    elif not (name or "").strip() or name == email:
        letters = (email or "")[:2]
    else:
        letters = "".join(word[0] for word in (name or "").split())
    return re.sub(r"[^A-Za-z_]", "", letters.upper())


class UserFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with one account."""

    id: int
    is_active: bool
    """Not closed."""
    has_email: bool
    """Not emptied."""
    is_mine: bool
    am_signed_in: bool
    am_site_admin: bool


class ContactFacts(msgspec.Struct, frozen=True):
    """What one actor and one person have in common (Loomio's queries/contactable_query.rb)."""

    shares_a_group: bool
    """A membership, now or once; a request to join; being a guest of its threads, or asked to vote in its polls."""
    shares_a_thread: bool
    """Both are its guests."""
    shares_a_poll: bool
    """Both were asked to vote."""


class IdentityFacts(msgspec.Struct, frozen=True):
    """What decides what one actor may do with somebody's account at another service."""

    is_mine: bool
