# SPDX-License-Identifier: AGPL-3.0-or-later
"""How people are told to others (Loomio's AuthorSerializer), and to themselves (UserSerializer,
CurrentUserSerializer).
"""

from __future__ import annotations

from typing import Any

from services.kernel.sideload import Field, Scope, Shape, fields
from services.kernel.texts import Texts
from services.users.model import (
    PICTURE_PIXELS,
    THUMBNAIL_PIXELS,
    VOLUMES,
    Author,
    Person,
    is_nameless,
    language,
    picture_kind,
    picture_url,
    placeholder_name,
    shown_name,
    time_zone,
)


def _tells_address(person: Author, scope: Scope) -> bool:
    return scope.tells_addresses or person.id == scope.actor_id


def _experience(name: str) -> Field:
    def value(person: Author, _scope: Scope) -> Any:
        return person.experiences.get(name) or {}

    return Field(name, value)


AUTHOR = Shape(
    root="users",
    fields=(
        *fields("id"),
        Field("name", lambda person, scope: shown_name(person, scope.say)),
        Field("email", lambda person, _scope: person.email, when=_tells_address),
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
            lambda person, scope: placeholder_name(scope.texts, language(person), person.email),
            when=lambda person, _scope: is_nameless(person),
        ),
        *fields("email_verified", "bot"),
    ),
)

_USER_FIELDS = (
    *AUTHOR.fields,
    *fields("short_bio", "short_bio_format", "content_locale", "location"),
)
_MORE_USER_FIELDS = (
    *fields("autodetect_time_zone"),
    Field("avatar_url", lambda person, scope: picture_url(person, PICTURE_PIXELS, scope.files)),
    *fields("attachments"),
    Field("date_time_pref", lambda person, _scope: person.date_time_pref or "day_abbr"),
    Field(
        "complaints_count",
        lambda person, _scope: person.complaints_count,
        when=lambda person, _scope: person.complaints_count > 0,
    ),
    *fields("sign_in_count"),
)

USER = Shape("users", (*_USER_FIELDS, *_MORE_USER_FIELDS))

_OWN_FIELDS = tuple(
    Field("email", lambda person, _scope: person.email) if one.name == "email" else one
    for one in _USER_FIELDS
)


def _volume(person: Person, _scope: Scope) -> str:
    return VOLUMES[person.default_membership_volume]


CURRENT_USER = Shape(
    "users",
    (
        *_OWN_FIELDS,
        *fields("has_password"),
        *_MORE_USER_FIELDS,
        *fields(
            "email_when_proposal_closing_soon",
            "email_catch_up_day",
            "email_when_mentioned",
            "email_on_participation",
            "selected_locale",
        ),
        Field("default_membership_volume", _volume),
        *fields(
            "experiences",
            "email_newsletter",
            "is_admin",
            "memberships_count",
            "secret_token",
            "auto_translate",
        ),
    ),
)
"""What people are told of themselves."""


def nobody(texts: Texts, locale: str, secret_token: str) -> dict[str, Any]:
    """What the signed-out are told of themselves; `secret_token` is of this answer alone."""
    return {
        "id": None,
        "name": None,
        "email": None,
        "username": None,
        "avatar_initials": None,
        "avatar_kind": "mdi-email-outline",
        "thumb_url": None,
        "time_zone": "UTC",
        "locale": locale,
        "created_at": None,
        "titles": {},
        "delegates": {},
        "placeholder_name": placeholder_name(texts, locale, None),
        "email_verified": False,
        "bot": False,
        "short_bio": None,
        "short_bio_format": "html",
        "content_locale": None,
        "location": None,
        "has_password": False,
        "autodetect_time_zone": True,
        "avatar_url": None,
        "attachments": [],
        "date_time_pref": "day_abbr",
        "sign_in_count": 0,
        "email_when_proposal_closing_soon": False,
        "email_catch_up_day": None,
        "email_when_mentioned": False,
        "email_on_participation": False,
        "selected_locale": None,
        "default_membership_volume": None,
        "experiences": {},
        "email_newsletter": False,
        "is_admin": False,
        "memberships_count": 0,
        "secret_token": secret_token,
        "auto_translate": False,
    }
