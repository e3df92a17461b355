# SPDX-License-Identifier: AGPL-3.0-or-later
"""When to leave an address alone, and when to try it again. Pure: time comes in.

One circuit per address of a backend. What happens in which state:

    state    event                                                    becomes
    -------  -------------------------------------------------------  -------------------------------
    closed   a failure, too few of them or fewer than answers         closed
    closed   a failure, one too many within the window                open, until `rest` is over
    closed   a connection cannot be made: nobody listens there        open, until `rest` is over
    closed   an answer                                                closed
    open     a failure, an answer (of requests sent before)           open
    open     `rest` is over and a request is sent                     trial
    trial    an answer                                                closed
    trial    a failure                                                open, until `rest` is over
    trial    its client left before anything was known                open, and due for another trial
    trial    no outcome within `patience`                             trial, and due for another

A failure is a connection that was not made or was reset before the first byte of an answer, a first byte that did not
come in time, or an answer that breaks HTTP's rules. An answer is an answer, also a 500: that the application works
wrongly is for the comparison to find out and not for a proxy.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.config.written import Breaker


class State(Enum):
    """See the module."""

    CLOSED = "closed"
    OPEN = "open"
    TRIAL = "trial"


class Circuit:
    """One address' circuit. Times are seconds of one clock.

    `alert` is false while nothing failed lately: answers need not be reported then, which is what keeps the circuit
    out of the path of requests that go well.
    """

    __slots__ = ("_answers", "_failures", "_limits", "_patience", "_until", "alert", "state")

    def __init__(self, limits: Breaker, patience: float) -> None:
        self.state = State.CLOSED
        self.alert = False
        self._limits = limits
        self._patience = patience
        self._failures = 0
        self._answers = 0
        self._until = 0.0  # closed: the end of the window; else: when a trial is due

    def admits(self, now: float) -> bool:
        """Whether a request may be sent."""
        return self.state is State.CLOSED or now >= self._until

    def sent(self, now: float) -> None:
        """A request is on its way, or a connection for one."""
        if self.state is not State.CLOSED and now >= self._until:
            self.state = State.TRIAL
            self._until = now + self._patience

    def failed(self, now: float, *, certain: bool = False) -> bool:
        """A request failed; `certain`: a connection could not be made. True if the circuit opened with it."""
        limits = self._limits
        if self.state is State.OPEN or not limits.failures:
            return False
        if self.state is State.CLOSED:
            if not self._failures or now >= self._until:
                self._failures = self._answers = 0
                self._until = now + limits.window
            self._failures += 1
            self.alert = True
            if not certain and (self._failures < limits.failures or self._failures <= self._answers):
                return False
        self.state = State.OPEN
        self._until = now + limits.rest
        return True

    def answered(self, now: float) -> bool:
        """An answer began. True if the circuit closed with it."""
        if self.state is State.TRIAL:
            self.state = State.CLOSED
            self._failures = 0
            self.alert = False
            return True
        if self.state is State.CLOSED:
            self._answers += 1
            if now >= self._until:
                self._failures = 0
                self.alert = False
        return False

    def undecided(self, now: float) -> None:
        """A request ended with nothing learnt: its client left."""
        if self.state is State.TRIAL:
            self.state = State.OPEN
            self._until = now
