# SPDX-License-Identifier: AGPL-3.0-or-later
"""How people are told to others (Loomio's AuthorSerializer)."""

from __future__ import annotations

from typing import Any

from services.kernel.sideload import Field, Scope, Shape, fields
from services.users.labels import invited
from services.users.model import (
    THUMBNAIL_PIXELS,
    Author,
    is_nameless,
    language,
    picture_kind,
    picture_url,
    shown_name,
    time_zone,
)


def _is_self(person: Author, scope: Scope) -> bool:
    return person.id == scope.actor_id


def _experience(name: str) -> Field:
    def value(person: Author, _scope: Scope) -> Any:
        return person.experiences.get(name) or {}

    return Field(name, value)


AUTHOR = Shape(
    root="users",
    fields=(
        *fields("id"),
        Field("name", lambda person, scope: shown_name(person, scope.locale)),
        Field("email", lambda person, _scope: person.email, when=_is_self),
        *fields("username", "avatar_initials"),
        Field("avatar_kind", lambda person, _scope: picture_kind(person)),
        Field("thumb_url", lambda person, scope: picture_url(person, THUMBNAIL_PIXELS, scope.files)),
        Field("time_zone", lambda person, _scope: time_zone(person)),
        Field("locale", lambda person, _scope: language(person)),
        *fields("created_at"),
        _experience("titles"),
        _experience("delegates"),
        Field(
            "placeholder_name",
            lambda person, _scope: invited(language(person), person.email),
            when=lambda person, _scope: is_nameless(person),
        ),
        *fields("email_verified", "bot"),
    ),
)
