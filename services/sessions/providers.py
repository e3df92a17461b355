# SPDX-License-Identifier: AGPL-3.0-or-later
"""Other services that know who people are, as the operator's settings describe them. Pure.

A provider is where to send people, where to bring the code that they come back with, where to read who they are,
and a function that finds that in what is read (Loomio's app/extras/clients). Settings have the names that Loomio
gives them.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.kernel.outbound import hosts_of

Environment = Mapping[str, str]

LONGEST = 255
"""Letters that the columns of an identity have room for."""


class Profile(msgspec.Struct, frozen=True):
    """Who somebody is to a provider. What it does not tell is None."""

    uid: str | None
    email: str | None
    name: str | None = None
    logo: str | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """A service that is asked by OAuth."""

    name: str
    key: str
    secret: str = field(repr=False)
    ask_at: str
    """Where people are asked whether this site may know who they are."""
    scope: str | None
    token_url: str
    profile_url: str
    profile: Callable[[Mapping[str, Any]], Profile]

    def way_there(self, redirect_uri: str, state: str | None = None) -> str:
        """Where to send somebody."""
        asked = {"client_id": self.key, "redirect_uri": redirect_uri, "response_type": "code"}
        if self.scope is not None:
            asked["scope"] = self.scope
        if state is not None:
            asked["state"] = state
        return f"{self.ask_at}?{urllib.parse.urlencode(asked)}"

    def form(self, code: str, redirect_uri: str) -> dict[str, str]:
        """What a code is exchanged with."""
        return {
            "client_id": self.key,
            "client_secret": self.secret,
            "code": code,
            "redirect_uri": redirect_uri,
            "grant_type": "authorization_code",
        }


def oauth(env: Environment) -> Provider | None:
    """Any service; the settings say where it is, and what it calls things. None where they lack something."""
    needed = ("AUTH_URL", "SCOPE", "TOKEN_URL", "PROFILE_URL", "ATTR_UID", "ATTR_NAME", "ATTR_EMAIL")
    told = {name: env[f"OAUTH_{name}"] for name in needed if f"OAUTH_{name}" in env}
    if len(told) < len(needed):
        return None

    def profile(document: Mapping[str, Any]) -> Profile:
        return Profile(
            uid=text(document.get(told["ATTR_UID"])),
            email=text(document.get(told["ATTR_EMAIL"])),
            name=text(document.get(told["ATTR_NAME"])),
        )

    return _provider(
        "oauth", env, told["AUTH_URL"], told["SCOPE"], told["TOKEN_URL"], told["PROFILE_URL"], profile
    )


def google(env: Environment) -> Provider:
    """Google."""

    def profile(document: Mapping[str, Any]) -> Profile:
        return Profile(
            uid=text(document.get("id")),
            email=text(document.get("email")),
            name=text(document.get("name")),
            logo=text(document.get("picture"), longest=None),
        )

    return _provider(
        "google",
        env,
        "https://accounts.google.com/o/oauth2/v2/auth",
        "email profile",
        "https://www.googleapis.com/oauth2/v4/token",
        "https://www.googleapis.com/oauth2/v2/userinfo",
        profile,
    )


def nextcloud(env: Environment) -> Provider:
    """A Nextcloud of the operator's; without its address Loomio leads people to itself."""
    host = env.get("NEXTCLOUD_HOST") or ""

    def profile(document: Mapping[str, Any]) -> Profile:
        answer = document.get("ocs")
        told = answer.get("data") if isinstance(answer, dict) else None
        person = told if isinstance(told, dict) else {}
        return Profile(uid=text(person.get("id")), email=text(person.get("email")))

    return _provider(
        "nextcloud",
        env,
        f"{host}/index.php/apps/oauth2/authorize",
        None,
        f"{host}/index.php/apps/oauth2/api/v1/token",
        f"{host}/ocs/v2.php/cloud/user?format=json",
        profile,
    )


def _provider(
    name: str,
    env: Environment,
    ask_at: str,
    scope: str | None,
    token_url: str,
    profile_url: str,
    profile: Callable[[Mapping[str, Any]], Profile],
) -> Provider:
    key, secret = (env.get(f"{name.upper()}_APP_{what}", "") for what in ("KEY", "SECRET"))
    return Provider(name, key, secret, ask_at, scope, token_url, profile_url, profile)


PROVIDERS: Mapping[str, Callable[[Environment], Provider | None]] = {
    "oauth": oauth,
    "google": google,
    "nextcloud": nextcloud,
}
"""By their names, which are `omniauth_identities.identity_type` as well."""


def hosts(env: Environment) -> frozenset[str]:
    """Hosts that the operator named for this, and that may be private therefore."""
    names = ("OAUTH_TOKEN_URL", "OAUTH_PROFILE_URL", "NEXTCLOUD_HOST", "SAML_IDP_METADATA_URL")
    return hosts_of(*(env.get(name) for name in names))


def text(value: Any, longest: int | None = LONGEST) -> str | None:
    """What a provider says, as a column has it; numbers as text. None where it says nothing that could be kept."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    said = str(value)
    return None if "\0" in said or (longest is not None and len(said) > longest) else said
