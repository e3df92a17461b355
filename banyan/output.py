# SPDX-License-Identifier: AGPL-3.0-or-later
"""How commands speak: results on stdout, errors on stderr, JSON where a machine reads."""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import Any, NoReturn

import msgspec


class Exit(IntEnum):
    """Exit codes that every command keeps to."""

    OK = 0
    NO = 1
    BROKEN = 2
    NOT_ENOUGH = 3


def print_json(value: Any) -> None:
    """Write one JSON document, indented, to stdout."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def fail(message: str, code: Exit = Exit.BROKEN) -> NoReturn:
    """Say what went wrong on stderr and leave with `code`."""
    sys.stderr.write(f"banyan: {message}\n")
    raise SystemExit(int(code))
