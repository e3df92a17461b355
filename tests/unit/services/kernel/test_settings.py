# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings from the environment."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.kernel.settings import LOOMIO_VERSION, BearerSettings, Settings, SettingsError

LEAST = {"DATABASE_URL": "postgres://user:pass@host:5432/loomio", "SECRET_KEY_BASE": "secret"}


def test_two_are_enough() -> None:
    settings = Settings.from_environment(LEAST)
    assert settings.database.url == "postgresql://user:pass@host:5432/loomio"
    assert settings.database.prepared_statements
    assert (settings.release, settings.system_reload, settings.system_notice) == (LOOMIO_VERSION, False, None)
    assert settings.starts_at is None
    assert settings.spam.search("x@Gusronk.com")


def test_options_of_rails_adapter_do_not_reach_postgresql() -> None:
    url = "postgis://h/db?pool=5&prepared_statements=false&sslmode=require&encoding=unicode"
    database = Settings.from_environment(LEAST | {"DATABASE_URL": url}).database
    assert database.url == "postgresql://h/db?sslmode=require"
    assert not database.prepared_statements


def test_the_older_name_of_the_secret_is_known() -> None:
    older = {"DATABASE_URL": LEAST["DATABASE_URL"], "SECRET_COOKIE_TOKEN": LEAST["SECRET_KEY_BASE"]}
    assert Settings.from_environment(older) == Settings.from_environment(LEAST)


def test_presence_counts_for_the_reload_and_text_for_the_notice() -> None:
    settings = Settings.from_environment(LEAST | {"LOOMIO_SYSTEM_RELOAD": "", "LOOMIO_SYSTEM_NOTICE": "soon"})
    assert (settings.system_reload, settings.system_notice) == (True, "soon")


@pytest.mark.parametrize(
    "text", ["2031-05-01T12:00:00+00:00", "2031-05-01T12:00:00Z", "2031-05-01 14:00:00+02:00"]
)
def test_the_clock_may_start_elsewhere(text: str) -> None:
    settings = Settings.from_environment(LEAST | {"BANYAN_NOW": text})
    assert settings.starts_at == datetime(2031, 5, 1, 12, tzinfo=UTC)


def test_every_problem_is_told_at_once_with_its_name() -> None:
    broken = {
        "DATABASE_URL": "mysql://h/db",
        "BANYAN_DATABASE_POOL": "0",
        "BANYAN_DATABASE_TIMEOUT": "soon",
        "BANYAN_NOW": "yesterday",
        "BANYAN_LOG": "xml",
        "SPAM_REGEX": "(",
    }
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(broken)
    told = [problem.split(" ")[0].split("=")[0] for problem in caught.value.problems]
    assert sorted(told) == sorted([*broken, "SECRET_KEY_BASE"])


def test_secrets_are_not_in_what_is_printed() -> None:
    printed = repr(Settings.from_environment(LEAST))
    assert "secret'" not in printed
    assert "pass" not in printed


def test_redis_may_be_two() -> None:
    one = Settings.from_environment(LEAST | {"REDIS_URL": "redis://one"})
    assert (one.redis_url, one.redis_queue_url) == ("redis://one", "redis://one")
    two = Settings.from_environment(
        LEAST
        | {"REDIS_URL": "redis://one", "REDIS_QUEUE_URL": "redis://two", "REDIS_CACHE_URL": "redis://three"}
    )
    assert (two.redis_url, two.redis_queue_url) == ("redis://three", "redis://two")


LONG = "x" * 32


def test_tokens_are_off_without_a_secret_and_short_by_default() -> None:
    assert Settings.from_environment(LEAST).bearer is None
    settings = Settings.from_environment(
        LEAST | {"BANYAN_JWT_SECRET": LONG, "CANONICAL_HOST": "orchard.example"}
    )
    assert settings.bearer is not None
    assert (settings.bearer.audience, settings.bearer.lifetime) == ("http://orchard.example", 900)
    assert LONG not in repr(settings)
    more = {"BANYAN_JWT_SECRET": LONG, "BANYAN_JWT_AUDIENCE": "api", "BANYAN_JWT_LIFETIME": "60"}
    assert Settings.from_environment(LEAST | more).bearer == BearerSettings(LONG, "api", 60)


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({"BANYAN_JWT_SECRET": "x" * 31}, ["BANYAN_JWT_SECRET"]),
        ({"BANYAN_JWT_SECRET": LONG, "SECRET_KEY_BASE": LONG}, ["BANYAN_JWT_SECRET"]),
        ({"BANYAN_JWT_SECRET": LONG, "B3_API_KEY": LONG}, ["BANYAN_JWT_SECRET"]),
        ({"BANYAN_JWT_SECRET": LONG, "BANYAN_JWT_LIFETIME": "3601"}, ["BANYAN_JWT_LIFETIME"]),
        ({"BANYAN_JWT_SECRET": "short", "BANYAN_JWT_LIFETIME": "0"}, ["BANYAN_JWT_LIFETIME", "BANYAN_JWT_SECRET"]),
        (
            {"BANYAN_JWT_AUDIENCE": "api", "BANYAN_JWT_LIFETIME": "60"},
            ["BANYAN_JWT_AUDIENCE", "BANYAN_JWT_LIFETIME"],
        ),
    ],
)  # fmt: skip
def test_what_would_make_weak_tokens_is_a_problem(more: dict[str, str], names: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(LEAST | more)
    assert [problem.split(" ")[0].split("=")[0] for problem in caught.value.problems] == names
    assert LONG not in str(caught.value)


def test_a_short_key_of_the_installation_opens_nothing() -> None:
    keys = {
        key: Settings.from_environment(LEAST | {"B3_API_KEY": key}).b3_api_key
        for key in ("", "x" * 16, "x" * 17)
    }
    assert keys == {"": None, "x" * 16: None, "x" * 17: "x" * 17}
