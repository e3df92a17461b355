# SPDX-License-Identifier: AGPL-3.0-or-later
"""A person as an author, and what is derived from the row."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from services.kernel import locales
from services.kernel.files import Blob, StoredFiles
from services.users import labels

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


def shown_name(person: Author, locale: str) -> str | None:
    """The name; for closed and emptied accounts a label; None for those who never gave one."""
    if person.name is None and person.deactivated_at is not None:
        return labels.deleted(locale)
    return person.name


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
