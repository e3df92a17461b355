# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the demo asks the edge's admin port: what runs, what was refused, which side answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import aiohttp
import msgspec

NO_GROUP = ""
"""How the admin port names what is in no group."""


class AdminUnreachableError(Exception):
    """The admin port did not answer as it should."""


class Figures(msgspec.Struct, frozen=True):
    """One side of one group, over a span of time; `rate` is requests per second."""

    requests: int = 0
    errors: int = 0
    rate: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0


class Group(msgspec.Struct, frozen=True):
    """`percent` is the share asked for, None for what is in no group; `sides` maps a backend's name to its figures."""

    percent: float | None = None
    sides: dict[str, Figures] = {}


class Stats(msgspec.Struct, frozen=True):
    """The figures of all groups by name."""

    generation: int
    groups: dict[str, Group] = {}


class Finding(msgspec.Struct, frozen=True):
    """One thing wrong with the routing file on disk."""

    file: str
    line: int
    column: int
    code: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.code}: {self.message} → {self.remedy}"


class Rejected(msgspec.Struct, frozen=True):
    """Why the routing file on disk does not run."""

    errors: tuple[Finding, ...] = ()


class Running(msgspec.Struct, frozen=True):
    """Which generation runs, and what was refused since."""

    generation: int
    rejected: Rejected | None = None


class Gate(msgspec.Struct, frozen=True):
    """One gate's verdict: `pass`, `fail` or `inconclusive`, and why."""

    gate: str
    outcome: str
    reason: str
    group: str = ""


class Unit(msgspec.Struct, frozen=True):
    """The rollout of what moves together. `share` and `steps` are percent; no steps: people move it by hand."""

    unit: str
    groups: tuple[str, ...]
    phase: str
    share: float
    steps: tuple[float, ...] = ()
    build: str = ""
    verdict: str | None = None
    waits_for: str = ""
    reasons: tuple[str, ...] = ()
    verdicts: tuple[Gate, ...] = ()


class Units(msgspec.Struct, frozen=True):
    """All of them."""

    units: tuple[Unit, ...]


class Entry(msgspec.Struct, frozen=True):
    """One line of a unit's journal; `at` is seconds since 1970."""

    at: float
    event: str
    by: str
    reason: str
    share_from: float
    share_to: float


class _Explained(msgspec.Struct, frozen=True):
    group: str | None = None


_Answer = TypeVar("_Answer")


class Admin:
    """An edge's admin port at `url`, asked through `session`. All methods raise `AdminUnreachableError`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def stats(self, window: float | None = None) -> Stats:
        """Figures of the last `window` seconds, or since the start."""
        query = "" if window is None else f"?window={window:g}"
        return await self._ask("GET", f"/stats{query}", Stats)

    async def running(self) -> Running:
        """What runs."""
        return await self._ask("GET", "/config", Running)

    async def groups_of(self, requests: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The group of each request (method, path and query)."""
        asked = list(dict.fromkeys(requests))
        questions = [{"method": method, "path": target} for method, target in asked]
        explained = await self._ask("POST", "/explain", list[_Explained], msgspec.json.encode(questions))
        return {key: answer.group or NO_GROUP for key, answer in zip(asked, explained, strict=True)}

    async def units(self) -> tuple[Unit, ...]:
        """Everything that moves."""
        return (await self._ask("GET", "/rollout", Units)).units

    async def unit(self, name: str) -> Unit:
        """Where a unit's rollout stands."""
        return await self._ask("GET", f"/rollout/{name}", Unit)

    async def history(self, name: str) -> list[Entry]:
        """What happened to a unit, the oldest first."""
        return (await self._ask("GET", f"/rollout/{name}/history", list[Entry]))[::-1]

    async def start(self, name: str, by: str, reason: str) -> None:
        """Start a unit's rollout, as `banyan rollout start` does."""
        order = msgspec.json.encode({"by": by, "reason": reason})
        await self._ask("POST", f"/rollout/{name}/start", msgspec.Raw, order)

    async def _ask(self, method: str, path: str, kind: type[_Answer], body: bytes | None = None) -> _Answer:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            async with self._session.request(method, self._url + path, data=body, headers=headers) as answer:
                content = await answer.read()
                if answer.status != 200:
                    raise AdminUnreachableError(f"{method} {path} on the admin port said {answer.status}")
                return msgspec.json.decode(content, type=kind)
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            raise AdminUnreachableError(
                f"{method} {path} on the admin port: {str(error) or type(error).__name__}"
            ) from error
