# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a rollout may go: the ramps, bundles and stages of `routing.yaml` as they run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from proxy.config.windows import Window, read_window
from proxy.config.written import Gates, Ramp, Repeat, WrittenConfig

ALPHA_FAIL: Final = 1e-4
"""The chance that a test fails, at one step and over all looks, what is as good as the old side. Four tests on four
steps: at most 0.16 % of good rollouts are taken back."""
ALPHA_PASS: Final = 1e-2
"""The chance that a test lets through, at one step and over all looks, what is worse than its tolerance."""
WHOLE_STAGE_FROM: Final = 9
"""From this stage on a stage goes back as a whole: its units write the same rows (`migration-order`)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What one unit's rollout goes by. Shares are percent, times seconds."""

    steps: tuple[float, ...] = (1, 10, 50, 100)
    dwell: float = 1800.0
    compare: float = 600.0
    soak: float = 86_400.0
    confirm: frozenset[float] = frozenset()
    windows: tuple[Window, ...] = ()
    timezone: str = "UTC"
    gates: Gates = field(default_factory=Gates)

    @property
    def top(self) -> float:
        """The last step."""
        return self.steps[-1]

    def step_after(self, share: float) -> float | None:
        """The next step above a share; None at the top."""
        return next((step for step in self.steps if step > share), None)

    def is_open(self, now: float) -> bool:
        """Whether shares may be raised at this time (seconds since 1970)."""
        local = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(self.timezone))
        return not self.windows or any(window.holds(local) for window in self.windows)


def policy_of(ramp: Ramp) -> Policy:
    """A ramp as it runs."""
    return Policy(
        steps=tuple(step for step in ramp.steps if step > 0) or (100.0,),
        dwell=ramp.dwell,
        compare=ramp.compare,
        soak=ramp.soak,
        confirm=frozenset(ramp.confirm),
        windows=tuple(map(read_window, ramp.windows)),
        timezone=ramp.timezone,
        gates=ramp.gates,
    )


@dataclass(frozen=True, slots=True)
class Unit:
    """What moves together: a bundle, or a group that is in none.

    `percent` is where it starts. `policy` is None where no ramp is named: then people alone move it. `old` and `new`
    are the names of its sides. `repeatable`: its requests may be asked of the other side too; else differences are
    known from proofs alone.
    """

    name: str
    groups: tuple[str, ...]
    percent: float
    stage: int | None
    policy: Policy | None
    old: str
    new: str
    repeatable: bool

    @property
    def goes_back_whole(self) -> bool:
        """Whether its stage goes back with it."""
        return self.stage is not None and self.stage >= WHOLE_STAGE_FROM


def units_of(config: WrittenConfig) -> dict[str, Unit]:
    """All units of a configuration, by name."""
    written = config.written
    bundle_of = {name: bundle for bundle, names in written.bundles.items() for name in names}
    members: dict[str, list[str]] = {}
    for name in written.groups:
        members.setdefault(bundle_of.get(name, name), []).append(name)
    units = {}
    for unit, names in members.items():
        group = written.groups[names[0]]
        rows = [config.rows[index] for name in names for index in config.members[name]]
        units[unit] = Unit(
            name=unit,
            groups=tuple(names),
            percent=group.percent,
            stage=max((s for name in names if (s := written.groups[name].stage) is not None), default=None),
            policy=None if group.ramp is None else policy_of(written.ramps[group.ramp]),
            old=group.from_ or written.defaults.from_,
            new=group.to or written.defaults.to,
            repeatable=any(row.repeat is not Repeat.UNSAFE for row in rows),
        )
    return units
