# SPDX-License-Identifier: AGPL-3.0-or-later
"""Approvals in a file, for runs without a database.

approvals:
- {fingerprint: 3f9a…, by: ada, reason: "the old wording had a typo", at: 2026-11-02, until: 2027-01-31}
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import yaml

from proxy.experiment.evidence import Approval

_KEYS = {"fingerprint", "by", "reason", "at", "until"}


class ApprovalsError(Exception):
    """The file can't be used; the message has file, place and remedy."""


def read_approvals(file: Path) -> tuple[Approval, ...]:
    """The approvals in a file. An approval holds to the end of the day `until` (UTC). Raises `ApprovalsError`."""
    try:
        written = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise ApprovalsError(f"{file}: {error.strerror}; name a file with --approvals") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ApprovalsError(f"{file}: no YAML: {' '.join(str(error).split())}") from error
    if written is None:
        return ()
    if (
        not isinstance(written, dict)
        or set(written) != {"approvals"}
        or not isinstance(written["approvals"], list)
    ):
        raise ApprovalsError(f"{file}: it holds one key, approvals, with a list of them")
    return tuple(_approval(file, number, entry) for number, entry in enumerate(written["approvals"], 1))


def _approval(file: Path, number: int, entry: Any) -> Approval:
    where = f"{file}: approval {number}"
    if not isinstance(entry, dict):
        raise ApprovalsError(f"{where}: write fingerprint, by, reason, and at and until if you like")
    if unknown := set(entry) - _KEYS:
        raise ApprovalsError(f"{where}: {', '.join(sorted(map(str, unknown)))}: there is no such key")
    for key in ("fingerprint", "by", "reason"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise ApprovalsError(f"{where}: {key} is missing (put quotes around it where it is all digits)")
    given = _day(entry.get("at", date(1970, 1, 1)), f"{where}: at", time.min)
    until = None if entry.get("until") is None else _day(entry["until"], f"{where}: until", time.max)
    return Approval(entry["fingerprint"], entry["by"], entry["reason"], given, until)


def _day(value: Any, where: str, at: time) -> float:
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).timestamp()
    if isinstance(value, date):
        return datetime.combine(value, at, UTC).timestamp()
    raise ApprovalsError(f"{where} is not a day such as 2026-12-31")
