# SPDX-License-Identifier: AGPL-3.0-or-later
"""From what this edge's workers counted to its part of the evidence. Pure.

Counts only ever rise, so an epoch's traffic is what came since the counts at its beginning. Users cannot be subtracted:
workers count them by epoch (`telemetry.crowd`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from proxy.rollout.evidence import Recent, Sample, Side, Traffic
from proxy.rollout.policy import Policy, Unit
from proxy.rollout.state import State
from proxy.telemetry.crowd import STRATA, Crowd
from proxy.telemetry.metrics import Cell, Placing, Snapshot, series

Key = tuple[str, str, str, Placing]
_FULL: Final = 101.0  # requests wait for a connection: more than all are busy


class _Moment:
    """What was counted until some time, of the groups of one unit."""

    def __init__(self, at: float, cells: dict[Key, Cell], crowds: dict[tuple[str, str], Crowd]) -> None:
        self.at = at
        self.cells = cells
        self.crowds = crowds


class _Epoch:
    def __init__(self, number: int, begin: dict[Key, Cell]) -> None:
        self.number = number
        self.begin = begin
        self.moments: deque[_Moment] = deque()


class Served:
    """What this edge served of every unit in its epoch. `connections`: backend → how many all workers may open."""

    def __init__(self) -> None:
        self._epochs: dict[str, _Epoch] = {}
        self._load: dict[str, float] = {}

    def observe(
        self,
        now: float,
        snapshot: Snapshot,
        units: Mapping[str, Unit],
        states: Mapping[str, State],
        connections: Mapping[str, int],
    ) -> None:
        """Take the counts of now."""
        by_group: dict[str, dict[Key, Cell]] = {}
        for cell in snapshot.cells:
            if cell.placing != "kept":
                by_group.setdefault(cell.group, {})[cell.key] = cell
        crowds = {crowd.key: crowd for crowd in snapshot.crowds}
        self._load = {backend: _busy(snapshot.gauges, backend, most) for backend, most in connections.items()}
        for name in self._epochs.keys() - states.keys():
            del self._epochs[name]
        for name, state in states.items():
            unit = units[name]
            cells = {key: cell for group in unit.groups for key, cell in by_group.get(group, {}).items()}
            epoch = self._epochs.get(name)
            if epoch is None or epoch.number != state.epoch:
                epoch = self._epochs[name] = _Epoch(state.epoch, cells)
            own = {
                key: crowd
                for key, crowd in crowds.items()
                if key[0] in unit.groups and crowd.epoch == state.epoch
            }
            epoch.moments.append(_Moment(now, cells, own))
            window = (unit.policy or Policy()).gates.burst.window
            while len(epoch.moments) > 1 and epoch.moments[1].at <= now - window:
                epoch.moments.popleft()

    def traffic(self, unit: Unit, epoch: int) -> dict[str, Traffic]:
        """The traffic of a unit's groups in an epoch; empty where nothing of it was observed."""
        known = self._epochs.get(unit.name)
        if known is None or known.number != epoch or not known.moments:
            return {}
        load = {name: busy for name, busy in self._load.items() if name in (unit.old, unit.new)}
        return {
            group: Traffic(_side(known, group, unit, unit.old), _side(known, group, unit, unit.new), load)
            for group in unit.groups
        }


def _side(epoch: _Epoch, group: str, unit: Unit, side: str) -> Side:
    first, last = epoch.moments[0], epoch.moments[-1]
    routes: dict[str, Sample] = {}
    recent = [0.0, 0.0]
    fallen = 0.0
    for key, cell in last.cells.items():
        if cell.group != group:
            continue
        lately = _since(cell, first.cells.get(key))
        if cell.placing == "fallen":
            fallen += lately.requests if side == unit.new else 0
        elif cell.side == side:
            counted = _since(cell, epoch.begin.get(key))
            sample = Sample(counted.requests, counted.errors, [float(count) for count in counted.bins])
            if sample.requests:
                routes[cell.route] = sample
            recent[0] += lately.requests
            recent[1] += lately.errors
    crowd = last.crowds.get((group, side), Crowd(group, side, epoch.number))
    return Side(routes, crowd, _recent(first.crowds.get((group, side)), crowd, recent, fallen))


def _since(cell: Cell, before: Cell | None) -> Cell:
    return cell if before is None else cell.minus(before)


def _recent(before: Crowd | None, now: Crowd, counted: list[float], fallen: float) -> Recent:
    """The last moments by random group of users; evenly spread where users are not told apart (at 100 %)."""
    asked = [a - b for a, b in zip(now.requests, before.requests if before else [0] * STRATA, strict=True)]
    failed = [a - b for a, b in zip(now.errors, before.errors if before else [0] * STRATA, strict=True)]
    if any(asked):
        return Recent([float(one) for one in asked], [float(one) for one in failed], fallen)
    return Recent([counted[0] / STRATA] * STRATA, [counted[1] / STRATA] * STRATA, fallen)


def _busy(gauges: Mapping[str, float], backend: str, most: int) -> float:
    """The share of a backend's connections in use, in percent."""

    def gauge(state: str) -> float:
        return gauges.get(series("banyan_edge_backend_connections", backend=backend, state=state), 0.0)

    if gauge("waiting"):
        return _FULL
    return 100 * max(0.0, gauge("open") - gauge("idle")) / most if most else 0.0
