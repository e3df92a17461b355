# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue's own housekeeping, as a job."""

from __future__ import annotations

from typing import Final

import msgspec

from services.kernel.jobs import queue
from services.kernel.jobs.kinds import Kind, Schedule, Work

KEPT_DAYS: Final = 7
"""Longer than any job is tried, so that no mark is missed."""


class Tidy(msgspec.Struct, frozen=True):
    """Forget what is older than this."""

    days: int = KEPT_DAYS


async def _tidy(work: Work, payload: Tidy) -> None:
    await queue.forget_done(work.session, days=payload.days)
    await queue.forget_log(work.session, days=payload.days)


TIDY: Final = Kind("tidy", Tidy, _tidy, tries=3, unique=lambda _: "", priority=-10)
HOURLY: Final = Schedule(TIDY, "17 * * * *", lambda _: Tidy(), legacies=False)
