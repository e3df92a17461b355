# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the controller needs of the world, as ports; real ones in `redis_store`, `postgres_journal`, `files`, and one in
memory (`memory`) that is as real, but shared by nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from proxy.rollout.evidence import Comparisons, Proof, Traffic
from proxy.rollout.state import State
from proxy.rollout.verdict import Verdict


class UnavailableError(Exception):
    """The other end cannot be reached, or does not answer in time."""


class Entry(msgspec.Struct, frozen=True):
    """One line of the journal: who or what changed which share, when, why, on which evidence. `state` is what followed;
    for a proof, or a freeze, there is none."""

    at: float
    unit: str
    event: str
    by: str
    reason: str
    share_from: float = 0.0
    share_to: float = 0.0
    build: str = ""
    replica: str = ""
    state: State | None = None
    evidence: tuple[Verdict, ...] = ()
    proof: Proof | None = None


class Heartbeat(msgspec.Struct, frozen=True):
    """What a replica says of itself, every tick. `states`: what it knows, for an empty store to be filled again."""

    replica: str
    at: float
    generation: int = 0
    shares: Mapping[str, float] = {}
    states: Mapping[str, State] = {}


class Shared(msgspec.Struct, frozen=True):
    """All that replicas share. `seeded` is false where the store is new or lost its content."""

    states: Mapping[str, State] = {}
    frozen: bool = False
    seeded: bool = True


class Journal(Protocol):
    """Durable, append only. All methods raise UnavailableError."""

    async def append(self, entry: Entry) -> None:
        """Write one line; when this returns, it is kept."""

    async def read(self, unit: str | None, limit: int) -> list[Entry]:
        """The latest lines, the newest first; of one unit or all."""

    async def latest(self) -> dict[str, State]:
        """The last state of every unit."""


class Store(Protocol):
    """Fast, shared. All methods but `follow` and `close` raise UnavailableError."""

    shared: bool
    """Whether there may be other replicas."""

    async def load(self) -> Shared:
        """What is agreed."""

    async def put(self, state: State, expected: int) -> bool:
        """Replace a unit's state if its version still is `expected` (-1: there is none); told to all who follow."""

    async def freeze(self, frozen: bool) -> None:
        """Keep all shares from rising, or no longer."""

    async def seed(self, states: Mapping[str, State]) -> bool:
        """Fill a store that is empty; false if somebody else did."""

    async def lead(self, replica: str) -> bool:
        """Take or renew the lease of the leader; false while another holds it."""

    async def report(self, heartbeat: Heartbeat) -> None:
        """Say that this replica lives."""

    async def replicas(self) -> list[Heartbeat]:
        """Who lives, or did a moment ago."""

    async def leader(self) -> str:
        """Who holds the lease, "" for nobody."""

    async def give(self, replica: str, unit: str, epoch: int, traffic: Mapping[str, Traffic]) -> None:
        """What this replica served of a unit, by group, in an epoch."""

    async def gather(self, unit: str, epoch: int) -> list[Mapping[str, Traffic]]:
        """What all replicas served of it in that epoch."""

    def follow(self) -> AsyncIterator[None]:
        """Yield whenever something was changed by anybody; go on through failures."""

    async def close(self) -> None:
        """Let go of connections."""


class Compared(Protocol):
    """Where comparisons are read."""

    async def comparisons(self, groups: Sequence[str], build: str) -> Mapping[str, Comparisons]:
        """What comparing showed for these groups with this build. Raises UnavailableError."""


class Notice(msgspec.Struct, frozen=True):
    """What web hooks are told."""

    kind: str
    unit: str
    groups: tuple[str, ...]
    at: float
    by: str
    reason: str
    share_from: float
    share_to: float
    phase: str
    replica: str
    more: Mapping[str, Any] = {}
