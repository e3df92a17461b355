# SPDX-License-Identifier: AGPL-3.0-or-later
"""Counting in the workers, summing and rendering in the parent.

A worker counts into plain lists (0.15 µs a request); it never renders. The parent asks every worker for its
`Snapshot`, adds them up and writes Prometheus' text. Labels are names from the configuration and codes from the
source: never anything a client sent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from proxy.telemetry.crowd import Census, Crowd, newest

# Upper bounds of the latency bins in seconds: 100 µs to about 60 s, each 25 % wider than the one before.
BOUNDS: Final = tuple(round(0.0001 * 1.25**step, 9) for step in range(60))
# The bins that Prometheus sees: the finer ones are for percentiles.
_SHOWN: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


Placing = Literal["drawn", "fallen", "kept"]
"""How a request came to its side: by its user's bucket and the share; because the side it was drawn for could not be
reached; or by a rule that asks for no bucket. Only what was drawn can be compared: two samples of one population."""


class Cell(msgspec.Struct):
    """What was counted of one route on one side. `statuses[n]`: answers n00–n99; `failed`: ended by the edge."""

    route: str
    group: str
    side: str
    placing: Placing = "kept"
    statuses: list[int] = msgspec.field(default_factory=lambda: [0] * 6)
    failed: int = 0
    bins: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0

    @property
    def key(self) -> tuple[str, str, str, Placing]:
        """What it is found by."""
        return self.route, self.group, self.side, self.placing

    @property
    def requests(self) -> int:
        """How many were counted."""
        return sum(self.statuses)

    @property
    def errors(self) -> int:
        """Answers 5xx, and exchanges that the edge had to end (clients that left apart)."""
        return max(self.statuses[5], self.failed)

    def merge(self, other: Cell) -> None:
        """Add `other`'s counts to this one's."""
        self.statuses = [a + b for a, b in zip(self.statuses, other.statuses, strict=True)]
        self.bins = [a + b for a, b in zip(self.bins, other.bins, strict=True)]
        self.failed += other.failed
        self.seconds += other.seconds
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out

    def minus(self, before: Cell) -> Cell:
        """What was counted since `before`."""
        return Cell(
            self.route,
            self.group,
            self.side,
            self.placing,
            [a - b for a, b in zip(self.statuses, before.statuses, strict=True)],
            self.failed - before.failed,
            [a - b for a, b in zip(self.bins, before.bins, strict=True)],
            self.seconds - before.seconds,
            self.bytes_in - before.bytes_in,
            self.bytes_out - before.bytes_out,
        )


class Meter:
    """Counts into a cell as exchanges end: its lists are the cell's own, its sums are written there when asked."""

    __slots__ = ("_bins", "_bytes_in", "_bytes_out", "_cell", "_failed", "_seconds", "_statuses", "side")

    def __init__(self, cell: Cell) -> None:
        self.side = cell.side
        self._cell = cell
        self._statuses = cell.statuses
        self._bins = cell.bins
        self._failed = cell.failed
        self._seconds = cell.seconds
        self._bytes_in = cell.bytes_in
        self._bytes_out = cell.bytes_out

    def add(self, status: int, seconds: float, failed: bool, bytes_in: int, bytes_out: int) -> int:
        """Count one exchange; the number of its latency bin."""
        self._statuses[status // 100] += 1
        at = bisect_left(BOUNDS, seconds)
        self._bins[at] += 1
        self._seconds += seconds
        self._bytes_in += bytes_in
        self._bytes_out += bytes_out
        if failed:
            self._failed += 1
        return at

    def taken(self) -> Cell:
        """The cell as it is now."""
        cell = self._cell
        cell.failed = self._failed
        cell.seconds = self._seconds
        cell.bytes_in = self._bytes_in
        cell.bytes_out = self._bytes_out
        return cell


def percentile(bins: list[int], share: float) -> float:
    """The latency (seconds) that `share` of the counted stay below; 0 where nothing was counted.

    Interpolated within its bin, so exact to a few percent.
    """
    wanted = share * sum(bins)
    if not wanted:
        return 0.0
    seen = 0
    for at, count in enumerate(bins):
        if count and seen + count >= wanted:
            low = BOUNDS[at - 1] if at else 0.0
            high = BOUNDS[at] if at < len(BOUNDS) else BOUNDS[-1]
            return low + (high - low) * (wanted - seen) / count
        seen += count
    return BOUNDS[-1]


class Snapshot(msgspec.Struct):
    """All that one process counted, or the sum over several.

    `counters` and `gauges` map (name, label pairs) in Prometheus' own notation to values.
    """

    cells: list[Cell] = msgspec.field(default_factory=list)
    counters: dict[str, int] = msgspec.field(default_factory=dict)
    gauges: dict[str, float] = msgspec.field(default_factory=dict)
    crowds: list[Crowd] = msgspec.field(default_factory=list)


class Recorder:
    """What a worker counts into. Cells outlive generations: they are found by names."""

    def __init__(self) -> None:
        self._meters: dict[tuple[str, str, str, Placing], Meter] = {}
        self._crowds: dict[tuple[str, str], tuple[int, Census]] = {}
        self.counters: Counter[str] = Counter()

    def meter(self, route: str, group: str, side: str, placing: Placing = "kept") -> Meter:
        """What counts a route on a side."""
        key = (route, group, side, placing)
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = Meter(Cell(*key))
        return meter

    def census(self, group: str, side: str, epoch: int) -> Census:
        """What counts the users of a group on a side. Those of an earlier epoch are forgotten, even stragglers."""
        known = self._crowds.get((group, side))
        if known is None or known[0] < epoch:
            known = self._crowds[group, side] = (epoch, Census(Crowd(group, side, epoch)))
        return known[1] if known[0] == epoch else Census(Crowd(group, side, epoch))

    def snapshot(self, gauges: dict[str, float]) -> Snapshot:
        """Everything so far."""
        cells = [meter.taken() for meter in self._meters.values()]
        crowds = [census.taken() for _, census in self._crowds.values()]
        return Snapshot(cells, dict(self.counters), gauges, crowds)


def total(snapshots: Sequence[Snapshot]) -> Snapshot:
    """The sum over processes (living and dead)."""
    cells: dict[tuple[str, str, str, Placing], Cell] = {}
    counters: Counter[str] = Counter()
    gauges: Counter[str] = Counter()
    for snapshot in snapshots:
        for cell in snapshot.cells:
            cells.setdefault(cell.key, Cell(*cell.key)).merge(cell)
        counters.update(snapshot.counters)
        for name, value in snapshot.gauges.items():
            gauges[name] += value  # type: ignore[assignment]  # a Counter of floats adds them as well
    crowds = newest(crowd for snapshot in snapshots for crowd in snapshot.crowds)
    return Snapshot(list(cells.values()), dict(counters), dict(gauges), crowds)


def series(name: str, **labels: str) -> str:
    """A series in Prometheus' notation: `name{a="b"}`."""
    if not labels:
        return name
    inner = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
    return f"{name}{{{inner}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


HELP: Final = {
    "banyan_edge_requests_total": ("counter", "Exchanges by route, group, side and class of status."),
    "banyan_edge_request_duration_seconds": (
        "histogram",
        "From a request's complete head to its answer's last byte.",
    ),
    "banyan_edge_bytes_total": ("counter", "Bytes of bodies by side and direction."),
    "banyan_edge_decisions_total": ("counter", "Requests by the reason for their side."),
    "banyan_edge_failures_total": ("counter", "Exchanges that the edge had to end, by code and side."),
    "banyan_edge_refused_total": (
        "counter",
        "Connections closed because what came was no valid request, by code.",
    ),
    "banyan_edge_retries_total": (
        "counter",
        "Requests repeated or sent elsewhere before a first answer byte, by side.",
    ),
    "banyan_edge_unreadable_cookies_total": (
        "counter",
        "Session or remember cookies that could not be read.",
    ),
    "banyan_edge_untrusted_forwarded_total": (
        "counter",
        "Requests with X-Forwarded-* or Forwarded from a peer that is no trusted proxy.",
    ),
    "banyan_edge_log_lines_lost_total": ("counter", "Lines of the access log that could not be written."),
    "banyan_edge_shadow_lifted_total": ("counter", "Exchanges handed over to be compared."),
    "banyan_edge_shadow_asked_total": ("counter", "Requests repeated for comparing, by the side asked."),
    "banyan_edge_shadow_outcomes_total": (
        "counter",
        "Comparisons by route, outcome and, where there is none, the reason.",
    ),
    "banyan_edge_shadow_dropped_total": (
        "counter",
        "Exchanges that were chosen and not compared, by reason.",
    ),
    "banyan_edge_shadow_restarts_total": ("counter", "How often the process that compares was replaced."),
    "banyan_edge_shadow_queue_bytes": ("gauge", "Bytes held for comparing, by place."),
    "banyan_edge_shadow_behind_seconds": ("gauge", "How long the oldest exchange waits to be asked again."),
    "banyan_edge_shadow_rules_rejected": ("gauge", "1 while the file of rules is no good."),
    "banyan_edge_shadow_store_failures_total": ("counter", "Writes to the diff store that failed, by code."),
    "banyan_edge_connections": ("gauge", "Open client connections."),
    "banyan_edge_tunnels": ("gauge", "Open WebSocket tunnels."),
    "banyan_edge_backend_connections": ("gauge", "Connections to backends by state."),
    "banyan_edge_backend_up": ("gauge", "Whether a backend's address answered its last health check."),
    "banyan_edge_breaker_open": (
        "gauge",
        "Workers that leave a backend alone because it failed at all of its addresses.",
    ),
    "banyan_edge_breaker_opened_total": ("counter", "How often an address was left alone after failures."),
    "banyan_edge_generation": ("gauge", "The generation of the configuration that runs."),
    "banyan_edge_reloads_total": ("counter", "Reloads of the configuration by outcome."),
    "banyan_edge_config_rejected": (
        "gauge",
        "1 while the configuration on disk is rejected and an older one runs.",
    ),
    "banyan_edge_certificate_rejected": (
        "gauge",
        "1 while the certificate on disk is no good and an older one is served.",
    ),
    "banyan_edge_certificate_expires_timestamp_seconds": (
        "gauge",
        "When the certificate that is served ends.",
    ),
    "banyan_edge_stall_seconds": (
        "gauge",
        "The longest that a worker's loop stood still in the last minute, by cause.",
    ),
    "banyan_edge_group_percent": ("gauge", "The share of a group's users that goes to the new side."),
    "banyan_edge_workers": ("gauge", "Living worker processes."),
    "banyan_edge_worker_restarts_total": ("counter", "Workers that died and were replaced."),
    "banyan_rollout_leader": ("gauge", "1 on the edge that decides for all."),
    "banyan_rollout_frozen": ("gauge", "1 while no share may rise."),
    "banyan_rollout_store_up": ("gauge", "Whether the shared store can be used; else shares stay, or fall."),
    "banyan_rollout_journal_up": ("gauge", "Whether the journal can be written; else no share rises."),
    "banyan_rollout_pending": ("gauge", "Units that this edge lowered and the others do not know of yet."),
    "banyan_rollout_share_percent": ("gauge", "The share that a unit's rollout has in effect."),
    "banyan_rollout_phase": ("gauge", "1 for the phase that a unit is in."),
    "banyan_rollout_last_good_percent": ("gauge", "The highest share that passed its gates with this build."),
    "banyan_rollout_next_step_percent": ("gauge", "The step after the share in effect."),
    "banyan_rollout_since_timestamp_seconds": ("gauge", "When the evidence of a unit's share began."),
    "banyan_rollout_changed_timestamp_seconds": ("gauge", "When a unit last changed."),
    "banyan_rollout_estimate_seconds": (
        "gauge",
        "Until a unit's evidence suffices at today's traffic; told by the leader, where time alone helps.",
    ),
    "banyan_rollout_gate": ("gauge", "1 for a gate's verdict on a group; told by the leader."),
    "banyan_rollout_gate_value": (
        "gauge",
        "What a gate measured, its bounds and its threshold; told by the leader.",
    ),
    "banyan_rollout_hooks_total": ("counter", "Notices to web hooks, by outcome."),
    "banyan_edge_info": ("gauge", "Version of the edge."),
}


def render(snapshot: Snapshot) -> str:
    """Prometheus' text format (0.0.4)."""
    families: dict[str, list[str]] = {name: [] for name in HELP}
    _render_cells(snapshot.cells, families)
    for values in (snapshot.counters, snapshot.gauges):
        for name, value in sorted(values.items()):
            families[name.partition("{")[0]].append(f"{name} {_number(value)}")
    lines: list[str] = []
    for name, samples in families.items():
        if samples:
            kind, text = HELP[name]
            lines += (f"# HELP {name} {text}", f"# TYPE {name} {kind}", *samples)
    return "\n".join(lines) + "\n"


def _render_cells(cells: Iterable[Cell], families: dict[str, list[str]]) -> None:
    groups: dict[tuple[str, str], Cell] = {}
    sides: dict[str, list[int]] = {}
    requests: Counter[str] = Counter()
    for cell in sorted(cells, key=lambda one: one.key):
        for hundred, count in enumerate(cell.statuses):
            if count:
                labels = {
                    "route": cell.route,
                    "group": cell.group,
                    "side": cell.side,
                    "status": f"{hundred}xx",
                }
                requests[series("banyan_edge_requests_total", **labels)] += count
        key = (cell.group, cell.side)
        if key not in groups:
            groups[key] = Cell("", *key)
        groups[key].merge(cell)
        carried = sides.setdefault(cell.side, [0, 0])
        carried[0] += cell.bytes_in
        carried[1] += cell.bytes_out
    families["banyan_edge_requests_total"] += (f"{name} {count}" for name, count in requests.items())
    for side, carried in sides.items():
        for direction, count in zip(("in", "out"), carried, strict=True):
            families["banyan_edge_bytes_total"].append(
                f"{series('banyan_edge_bytes_total', side=side, direction=direction)} {count}"
            )
    for (group, side), cell in groups.items():
        families["banyan_edge_request_duration_seconds"] += _histogram(group, side, cell)


def _histogram(group: str, side: str, cell: Cell) -> list[str]:
    name = "banyan_edge_request_duration_seconds"
    lines = []
    below = at = 0
    for bound in _SHOWN:
        while at < len(BOUNDS) and BOUNDS[at] <= bound:
            below += cell.bins[at]
            at += 1
        lines.append(f"{series(name + '_bucket', group=group, side=side, le=f'{bound:g}')} {below}")
    lines.append(f"{series(name + '_bucket', group=group, side=side, le='+Inf')} {cell.requests}")
    lines.append(f"{series(name + '_sum', group=group, side=side)} {cell.seconds:.6f}")
    lines.append(f"{series(name + '_count', group=group, side=side)} {cell.requests}")
    return lines


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6g}"
