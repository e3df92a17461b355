# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rows that signing in depends on."""

from __future__ import annotations

from datetime import datetime

import msgspec

from services.users.pending import LoginToken


class Login(msgspec.Struct, frozen=True):
    """An account as signing in sees it."""

    id: int
    email: str | None
    email_verified: bool
    encrypted_password: str | None
    failed_attempts: int
    locked_at: datetime | None
    deactivated_at: datetime | None
    remember_token: str | None
    name: str | None
    email_newsletter: bool


class MailedCode(LoginToken, frozen=True):
    """An unused row of `login_tokens`, and the address of the account that it signs in to."""

    email: str | None


class Owner(msgspec.Struct, frozen=True):
    """Whose something is."""

    user_id: int | None


class KnownIdentity(msgspec.Struct, frozen=True):
    """A row of `omniauth_identities`, and whose it is."""

    id: int
    user_id: int | None
