# SPDX-License-Identifier: AGPL-3.0-or-later
"""Devise: digests, salts, passwords and remember-me."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railscompat.devise import authenticatable_salt, is_remembered, token_digest, token_key, truncate_password
from railscompat.session import RememberedUser

NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
REMEMBERED = RememberedUser(7, "token", NOW - timedelta(days=1))


@pytest.mark.parametrize("column", ["reset_password_token", "unlock_token"])
def test_a_digest_is_that_of_devise(column: str) -> None:
    key = token_key("secret", column)
    assert key == hashlib.pbkdf2_hmac("sha1", b"secret", f"Devise {column}".encode(), 65536, 64)
    assert token_digest(key, "raw-ß") == hmac.new(key, "raw-ß".encode(), hashlib.sha256).hexdigest()


@given(st.text(max_size=100))
def test_a_password_is_cut_where_bcrypt_stops_looking(password: str) -> None:
    cut = truncate_password(password)
    assert len(cut) <= 72
    assert password.encode().startswith(cut)
    assert len(cut) == 72 or cut == password.encode()


def test_a_session_s_salt() -> None:
    password = "$2a$10$" + "s" * 22 + "h" * 31
    assert authenticatable_salt(password) == "$2a$10$" + "s" * 22
    assert authenticatable_salt("") == ""
    assert authenticatable_salt(None) == ""
    changed = "$2a$10$" + "t" * 22 + "h" * 31
    assert authenticatable_salt(changed) != authenticatable_salt(password)


@pytest.mark.parametrize(
    ("token", "created", "now", "expected"),
    [
        ("token", NOW - timedelta(days=2), NOW, True),
        ("other", NOW - timedelta(days=2), NOW, False),
        ("", NOW - timedelta(days=2), NOW, False),
        (None, NOW - timedelta(days=2), NOW, False),
        ("token", None, NOW, False),
        ("token", REMEMBERED.generated_at, NOW, False),
        ("token", NOW, NOW, False),
        ("token", NOW - timedelta(days=2), REMEMBERED.generated_at + timedelta(days=14), False),
        ("token", NOW - timedelta(days=2), REMEMBERED.generated_at + timedelta(days=13, hours=23), True),
    ],
)
def test_who_may_come_back(
    token: str | None, created: datetime | None, now: datetime, expected: bool
) -> None:
    assert is_remembered(REMEMBERED, remember_token=token, remember_created_at=created, now=now) is expected
