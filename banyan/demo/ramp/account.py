# SPDX-License-Identifier: AGPL-3.0-or-later
"""What users got: right and wrong answers before the fault, while it met them, and after the way back. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

_ON_ITS_WAY: Final = 1.0
"""Seconds after the way back in which requests may still be asked by the old share: workers are told over a socket."""


class Answers(msgspec.Struct):
    """How many, and how many of them were wrong: other than recorded, an error, or none at all."""

    all: int = 0
    wrong: int = 0


class Account:
    """All answers. Times are seconds on any one clock; `failed_at` and `back_at` are None until it happened."""

    def __init__(self) -> None:
        self.before = Answers()
        self.during = Answers()
        self.after = Answers()
        self.failed_at: float | None = None
        self.back_at: float | None = None
        self.last_wrong_at: float | None = None

    def add(self, asked_at: float, answered_at: float, *, right: bool) -> None:
        """Count one. What was on its way when something changed belongs to the time of the fault."""
        stage = self._stage(asked_at, answered_at)
        stage.all += 1
        if not right:
            stage.wrong += 1
            self.last_wrong_at = answered_at

    def _stage(self, asked_at: float, answered_at: float) -> Answers:
        if self.failed_at is None or answered_at < self.failed_at:
            return self.before
        if self.back_at is not None and asked_at > self.back_at + _ON_ITS_WAY:
            return self.after
        return self.during
