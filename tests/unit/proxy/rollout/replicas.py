# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several edges' controllers on one store and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from proxy.config.written import Gates
from proxy.rollout.commands import Verb
from proxy.rollout.controller import Controller
from proxy.rollout.evidence import Comparisons, Traffic
from proxy.rollout.files import StateFile
from proxy.rollout.memory import MemoryJournal, MemoryStore
from proxy.rollout.policy import Policy, Unit
from proxy.rollout.ports import Notice
from proxy.rollout.replica import Ports
from proxy.routing.table import Share
from tests.unit.proxy.rollout.evidences import SAME, burst, side

POLICY = Policy(dwell=60, compare=10, soak=60)
LIVE_ONLY = replace(POLICY, gates=Gates(compare=False))


def unit(
    name: str = "u", *, stage: int | None = None, policy: Policy | None = POLICY, percent: float = 0
) -> Unit:
    return Unit(name, (name,), percent, stage, policy, "legacy", "python", repeatable=True)


class World:
    """The clock, store, journal and comparisons that all share; what each edge's workers were told."""

    def __init__(
        self, *units: Unit, edges: Sequence[str] = ("a", "b", "c"), folder: Path | None = None
    ) -> None:
        self.units = {one.name: one for one in units or (unit(),)}
        self.time = 1_000_000.0
        self.store = MemoryStore(lambda: self.time, shared=len(edges) > 1)
        self.journal = MemoryJournal()
        self.seen = SAME
        self.builds = {"python": "b1"}
        self.told: list[Notice] = []
        self.shares: dict[str, Mapping[str, Share]] = {}
        self.folder = folder
        self.edges: dict[str, Controller] = {}
        self.traffic: dict[str, Traffic] = {}
        for name in edges:
            self.start(name)

    def start(self, name: str) -> Controller:
        """An edge starts, or starts again."""

        def apply(shares: Mapping[str, Share]) -> None:
            self.shares[name] = shares

        ports = Ports(
            store=self.store,
            journal=self.journal,
            compared=self,
            now=lambda: self.time,
            build=lambda backend: self.builds.get(backend, ""),
            apply=apply,
            announce=self.told.append,
            file=None if self.folder is None else StateFile(self.folder / f"{name}.state"),
        )
        edge = self.edges[name] = _Edge(name, self.units, ports, self)
        self.shares[name] = edge.shares()
        return edge

    def kill(self, name: str) -> None:
        """An edge dies."""
        del self.edges[name]

    async def comparisons(self, groups: Sequence[str], build: str) -> Mapping[str, Comparisons]:
        return dict.fromkeys(groups, self.seen)

    async def pass_by(self, seconds: float, step: float = 1.0) -> None:
        """So much time passes, and every edge ticks."""
        until = self.time + seconds
        while self.time < until:
            self.time += step
            for edge in list(self.edges.values()):
                await edge.tick()

    async def until_share(self, share: float, most: float = 2_000, name: str = "u") -> None:
        """Time passes until all edges have this share."""
        deadline = self.time + most
        while self.percents(name) != {share}:
            assert self.time < deadline, f"{self.percents(name)} and not {share} %"
            await self.pass_by(1)

    def percents(self, name: str = "u") -> set[float]:
        """The shares that the edges' workers have."""
        return {self.shares[edge][name].percent for edge in self.edges}

    def serve(self, *, errors: int = 10, broken: bool = False) -> None:
        """What each edge counts of a unit at any share."""
        good = Traffic(side(33_000, 33), side(10_000, errors))
        if broken:
            good.new.recent = burst(50, 60)
        self.traffic = dict.fromkeys(self.units, good)

    async def ramp_to(self, share: float, name: str = "u") -> None:
        """Start, and let good evidence do the rest."""
        self.serve()
        await self.pass_by(4)
        await next(iter(self.edges.values())).command(Verb.START, name, by="kim")
        await self.until_share(share, name=name)


class _Edge(Controller):
    """A controller whose workers' counts come from the world."""

    def __init__(self, name: str, units: Mapping[str, Unit], ports: Ports, world: World) -> None:
        super().__init__(name, units, ports)
        self._served = _Counted(world)  # type: ignore[assignment]  # stands in for the counts of real workers


class _Counted:
    def __init__(self, world: World) -> None:
        self._world = world

    def traffic(self, unit: Unit, epoch: int) -> dict[str, Traffic]:
        return {
            group: self._world.traffic[unit.name] for group in unit.groups if unit.name in self._world.traffic
        }
