# SPDX-License-Identifier: AGPL-3.0-or-later
"""What happened, told from the edge's own journal. Pure; moments are seconds since 1970 by one machine's clock."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from banyan.demo.admin import Entry
from banyan.demo.live import clock, percent


class Step(msgspec.Struct, frozen=True):
    """A share that was reached, so many seconds after the start."""

    share: float
    at_s: float


class Story:
    """Grows as the journal does. `top` is the ramp's last step.

    `taken_back` says why the ramp was taken back although nothing was spoiled yet; empty while it was not.
    """

    def __init__(self, top: float) -> None:
        self.lines: list[str] = []
        self.steps: list[Step] = []
        self.reached_at: float | None = None
        self.fault_at: float | None = None
        self.fault_share: float | None = None
        self.back_at: float | None = None
        self.taken_back = ""
        self._top = top
        self._began: float | None = None
        self._told = 0

    def seconds(self, at: float) -> float:
        """How long after the start."""
        return 0.0 if self._began is None else max(0.0, at - self._began)

    @property
    def reached_s(self) -> float | None:
        """How long it took to the top."""
        return None if self.reached_at is None else self.seconds(self.reached_at)

    @property
    def rollback_s(self) -> float | None:
        """From the first spoiled answer that was possible until the share was 0."""
        if self.fault_at is None or self.back_at is None:
            return None
        return max(0.0, self.back_at - self.fault_at)

    def follow(self, journal: Sequence[Entry]) -> None:
        """Take what is new in the journal, the oldest first."""
        for entry in journal[self._told :]:
            if self._began is None:
                self._began = entry.at
            self._take(entry)
        self._told = len(journal)

    def fault(self, at: float, share: float, part: float) -> None:
        """From now on this part (0 to 1) of the new side's answers is spoiled."""
        self.fault_at, self.fault_share = at, share
        self.tell(at, f"at {percent(share)} the new side begins to fail: {part:.0%} of its answers are 500")

    def tell(self, at: float, sentence: str) -> None:
        """Add a sentence."""
        self.lines.append(f"{clock(self.seconds(at))}  {sentence}")

    def _take(self, entry: Entry) -> None:
        moved = f"{percent(entry.share_from)} → {percent(entry.share_to)}"
        if entry.share_to > entry.share_from:
            self.steps.append(Step(entry.share_to, round(self.seconds(entry.at), 2)))
            if entry.share_to >= self._top and self.reached_at is None:
                self.reached_at = entry.at
            self.tell(entry.at, f"{moved}: {entry.reason}")
        elif entry.share_to < entry.share_from:
            self._take_fall(entry, moved)
        else:
            if entry.event == "fail" and self.fault_at is None:
                self.taken_back = entry.reason
            self.tell(entry.at, f"{entry.event} at {percent(entry.share_to)}: {entry.reason}")

    def _take_fall(self, entry: Entry, moved: str) -> None:
        if self.fault_at is None:
            self.taken_back = entry.reason
            self.tell(entry.at, f"{moved}: {entry.reason}")
            return
        self.tell(entry.at, f"{moved} by {entry.by}: {entry.reason}")
        if entry.share_to == 0 and self.back_at is None:
            self.back_at = entry.at
            self.tell(entry.at, f"back on the old side {self.rollback_s:.1f} s after the fault began")
