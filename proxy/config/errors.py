# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can be wrong with a configuration: every code, and how findings are collected.

All findings of a file are reported at once. A code never changes its meaning: scripts and alerts name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """An error keeps the file from being used; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """Every finding, by its stable code. Each is described in docs/config-errors.md."""

    FILE_UNREADABLE = "file-unreadable"
    FILE_TOO_LARGE = "file-too-large"
    NOT_UTF8 = "not-utf8"
    YAML_SYNTAX = "yaml-syntax"
    TOO_COMPLEX = "too-complex"
    DUPLICATE_KEY = "duplicate-key"
    UNKNOWN_KEY = "unknown-key"
    MISSING_KEY = "missing-key"
    WRONG_TYPE = "wrong-type"
    OUT_OF_RANGE = "out-of-range"
    BAD_VALUE = "bad-value"
    BAD_URL = "bad-url"
    BAD_PATH = "bad-path"
    UNSET_VARIABLE = "unset-variable"
    CATALOGUE_MISSING = "catalogue-missing"
    UNKNOWN_BACKEND = "unknown-backend"
    UNKNOWN_RAMP = "unknown-ramp"
    UNKNOWN_GROUP = "unknown-group"
    UNKNOWN_ROUTE = "unknown-route"
    EMPTY_GLOB = "empty-glob"
    EMPTY_GROUP = "empty-group"
    UNREACHABLE_ROUTE = "unreachable-route"
    ROUTE_IN_TWO_GROUPS = "route-in-two-groups"
    GROUP_IN_TWO_BUNDLES = "group-in-two-bundles"
    UNEQUAL_BUNDLE = "unequal-bundle"
    SPLIT_BODY_TOKEN = "split-body-token"  # noqa: S105 - a code, not a password
    SAME_SIDES = "same-sides"
    UNSAFE_SHADOW = "unsafe-shadow"
    UNUSED_RAMP = "unused-ramp"
    SPLIT_BUNDLE = "split-bundle"
    EXPIRED_RULE = "expired-rule"


WARNINGS = frozenset({Code.UNSAFE_SHADOW, Code.UNUSED_RAMP, Code.SAME_SIDES, Code.SPLIT_BUNDLE})
"""Codes that do not keep a file from being used."""


class Position(NamedTuple):
    """A place in a file; lines and columns count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class ConfigError:
    """One finding. `remedy` says what to do about it."""

    file: str
    line: int
    column: int
    code: Code
    message: str
    remedy: str

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.code in WARNINGS else Severity.ERROR

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.code}: {self.message}\n    {self.remedy}"


@dataclass(slots=True)
class Findings:
    """Collects findings of one file; at most `MOST`, so that a hostile file cannot flood its reader."""

    file: str
    found: list[ConfigError] = field(default_factory=list)

    MOST = 200

    def add(self, code: Code, at: Position, message: str, remedy: str) -> None:
        """Note a finding; an exact repetition is dropped."""
        error = ConfigError(self.file, at.line, at.column, code, message, remedy)
        if len(self.found) < self.MOST and error not in self.found:
            self.found.append(error)


def only(errors: Iterable[ConfigError], severity: Severity) -> tuple[ConfigError, ...]:
    """Those of one severity, in the order of the file."""
    return tuple(sorted(error for error in errors if error.severity is severity))


def did_you_mean(name: str, known: Sequence[str], otherwise: str) -> str:
    """A remedy: the known names closest to `name`, else `otherwise`."""
    close = get_close_matches(name, known, n=3, cutoff=0.7)
    return f"Did you mean {' or '.join(close)}?" if close else otherwise
