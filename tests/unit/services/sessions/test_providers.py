# SPDX-License-Identifier: AGPL-3.0-or-later
"""Other services, as settings describe them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sessions.providers import PROVIDERS, Profile, google, hosts, nextcloud, oauth, text

OAUTH = {
    "OAUTH_AUTH_URL": "https://id.example/ask",
    "OAUTH_TOKEN_URL": "https://id.example/token",
    "OAUTH_PROFILE_URL": "https://api.id.example/me",
    "OAUTH_SCOPE": "openid email",
    "OAUTH_ATTR_UID": "sub",
    "OAUTH_ATTR_NAME": "name",
    "OAUTH_ATTR_EMAIL": "email",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("name", OAUTH)
def test_any_service_needs_all_its_settings(name: str) -> None:
    assert oauth(OAUTH) is not None
    assert oauth({key: value for key, value in OAUTH.items() if key != name}) is None


def test_google_is_asked_for_address_and_profile() -> None:
    provider = google({"GOOGLE_APP_KEY": "key", "GOOGLE_APP_SECRET": "hidden"})
    there = urlsplit(provider.way_there("https://here.example/google/authorize"))
    assert there.hostname == "accounts.google.com"
    assert parse_qs(there.query) == {
        "client_id": ["key"],
        "redirect_uri": ["https://here.example/google/authorize"],
        "response_type": ["code"],
        "scope": ["email profile"],
    }
    assert "hidden" in provider.form("c", "r").values()
    assert "hidden" not in repr(provider)
    told = {"id": "1", "name": "Ada", "email": "a@b.example", "picture": f"https://p.example/{'x' * 300}"}
    assert provider.profile(told) == Profile("1", "a@b.example", "Ada", told["picture"])


def test_nextcloud_is_asked_without_a_scope() -> None:
    provider = nextcloud({"NEXTCLOUD_HOST": "https://cloud.example"})
    assert "scope" not in provider.way_there("r")
    assert provider.token_url.startswith("https://cloud.example/")


def test_hosts_that_may_be_private_are_those_of_the_settings() -> None:
    named = hosts({**OAUTH, "NEXTCLOUD_HOST": "http://cloud.local:8080", "SAML_IDP_METADATA_URL": ""})
    assert named == {"id.example", "api.id.example", "cloud.local"}


@given(st.dictionaries(st.sampled_from(["sub", "id", "email", "name", "picture", "ocs", "data"]), JSON))
def test_whatever_is_said_is_a_profile(document: dict[str, object]) -> None:
    for make in PROVIDERS.values():
        provider = make(OAUTH)
        assert provider is not None
        profile = provider.profile(document)
        assert all("\0" not in (told or "") for told in (profile.uid, profile.email, profile.name))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("a", "a"),
        (7, "7"),
        (True, None),
        (None, None),
        (1.5, None),
        ([], None),
        ("\0", None),
        ("x" * 256, None),
    ],
)
def test_what_columns_have_room_for(value: object, told: str | None) -> None:
    assert text(value) == told
