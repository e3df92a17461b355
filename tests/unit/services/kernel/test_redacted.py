# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings are shown without what is secret in them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.redacted import HIDDEN, shown, without_secrets
from services.kernel.settings import Settings

SECRETS = {
    "DATABASE_URL": "postgres://rails:hush-1@db.example:5432/loomio?sslpassword=hush-2",
    "BANYAN_LISTEN_DATABASE_URL": "postgres://rails:hush-3@db.example/loomio",
    "REDIS_URL": "redis://:hush-4@cache.example:6379/0",
    "SECRET_KEY_BASE": "hush-5",
    "DEVISE_SECRET": "hush-6",
    "SMTP_SERVER": "mail.example",
    "SMTP_PASSWORD": "hush-7",
    "B3_API_KEY": "hush-8-and-long-enough",
    "BANYAN_JWT_SECRET": "hush-9-and-long-enough-to-be-taken",
}


def test_every_setting_is_there_and_no_secret() -> None:
    values = shown(Settings.from_environment(SECRETS), workers=3)
    text = json.dumps(values)
    assert "hush" not in text
    assert values["database"]["url"] == "postgresql://rails:***@db.example:5432/loomio?sslpassword=***"
    assert values["redis_url"] == "redis://:***@cache.example:6379/0"
    assert values["secret_key_base"] == HIDDEN
    assert values["connections"] == {"per_worker": 11, "workers": 3, "at_most": 33}
    assert values["smtp"]["server"] == "mail.example"
    assert values["b3_api_key"] == HIDDEN
    assert values["texts"] == {"path": None, "languages": None}
    assert values["bearer"] == {"secret": HIDDEN, "audience": "http://localhost", "lifetime": 900}


def test_what_is_not_set_is_null() -> None:
    plain = {name: SECRETS[name] for name in ("DATABASE_URL", "SECRET_KEY_BASE")}
    values = shown(Settings.from_environment(plain))
    assert (values["smtp"], values["database"]["listen_url"], values["starts_at"]) == (None, None, None)


@given(st.from_regex(r"[a-z]{1,6}", fullmatch=True), st.from_regex(r"hush[0-9:@%]{0,5}", fullmatch=True))
def test_no_password_passes(user: str, password: str) -> None:
    assert "hush" not in without_secrets(f"postgres://{user}:{password}@host/name")
