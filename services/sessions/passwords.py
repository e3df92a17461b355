# SPDX-License-Identifier: AGPL-3.0-or-later
"""Passwords: bcrypt, as Devise stores them.

A check takes tens of milliseconds of processor time, by design: it runs in a thread, and a few at a time, so
that other requests are answered meanwhile.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import bcrypt

from railscompat import devise

_CHECKERS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="bcrypt")

NOBODYS = "$2a$10$Jgp1vvU4f1lR0JS05Tejku6f7p8DPaQ6tbVaI8U.hVTzjRPL.oM5q"
"""A digest of the usual cost that belongs to nobody, for addresses that are nobody's."""


async def is_password(encrypted: str | None, password: str) -> bool:
    """Whether this is the password; None or empty is an account without one."""
    right = await asyncio.get_running_loop().run_in_executor(
        _CHECKERS, _check, encrypted or NOBODYS, password
    )
    return right and bool(encrypted)


def _check(encrypted: str, password: str) -> bool:
    try:
        return bcrypt.checkpw(devise.truncate_password(password), encrypted.encode())
    except ValueError:
        return False  # no bcrypt digest
