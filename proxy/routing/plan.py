# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a new configuration would move, and what is risky about it. Pure: two configurations in, facts out.

Moves are facts, by route: which share of the users would be answered by another side than before. Risks are
judgements; each has a stable code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from proxy.config.written import CatalogueRow, Repeat, WrittenConfig, WrittenGroup


class RiskCode(StrEnum):
    """Every risk, by its stable code."""

    SALT_CHANGED = "salt-changed"
    STICKY_CHANGED = "sticky-changed"
    GUARD_REMOVED = "guard-removed"
    KILL_RELEASED = "kill-released"
    LARGE_STEP = "large-step"
    WRITES_BEFORE_READS = "writes-before-reads"
    NEIGHBOURS_SPLIT = "neighbours-split"
    BUNDLE_SPLIT = "bundle-split"
    PARTIAL_ROLLBACK = "partial-rollback"
    ROUTE_UNCLAIMED = "route-unclaimed"


WHOLE_STAGES_FROM = 9
"""From this stage on, writes share counters and positions: a rollback takes back the whole stage."""

LARGE_STEP = 50.0
"""Points by which a share may rise at once without remark, once it has begun."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a route's users are: those below `share` percent of the buckets on `target`, the rest on `source`."""

    group: str | None
    source: str
    target: str
    share: float
    sticky: str
    kill: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """Routes of one group whose users change sides. `users` are percentages of all users, by (from, to)."""

    group: str | None
    before: str
    after: str
    users: tuple[tuple[str, str, float], ...]
    routes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Risk:
    """One thing to think about before the new configuration runs."""

    code: RiskCode
    group: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that would change for users, and the risks of it."""

    moves: tuple[Move, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    risks: tuple[Risk, ...]


Key = tuple[str, str]


def plan(old: WrittenConfig, new: WrittenConfig) -> Plan:
    """Compare two configurations."""
    before, after = _placements(old), _placements(new)
    redrawn = old.written.salt != new.written.salt
    grouped: dict[tuple[str | None, str, str, tuple[tuple[str, str, float], ...]], list[str]] = {}
    for key, there in after.items():
        here = before.get(key)
        if here is None:
            continue
        users = _moved(here, there, redrawn=redrawn or here.sticky != there.sticky)
        if users:
            mark = (there.group or here.group, _say(here), _say(there), users)
            grouped.setdefault(mark, []).append(_label(key))
    moves = tuple(Move(*mark, tuple(routes)) for mark, routes in grouped.items())
    return Plan(
        moves=moves,
        added=tuple(_label(key) for key in after if key not in before),
        removed=tuple(_label(key) for key in before if key not in after),
        risks=tuple(_risks(old, new, before, after)),
    )


def _key(row: CatalogueRow) -> Key:
    return row.method, row.path.removesuffix("(.:format)") or "/"


def _label(key: Key) -> str:
    return f"{key[0]} {key[1]}"


def _placements(config: WrittenConfig) -> dict[Key, Placement]:
    written = config.written
    owner = {index: name for name, indexes in config.members.items() for index in indexes}
    legacy = Placement(None, written.defaults.from_, written.defaults.from_, 0.0, written.defaults.sticky)
    return {
        _key(row): _placement(config, owner[index]) if index in owner else legacy
        for index, row in enumerate(config.rows)
    }


def _placement(config: WrittenConfig, name: str) -> Placement:
    written = config.written
    group = written.groups[name]
    kill = group.kill or written.kill
    return Placement(
        group=name,
        source=group.from_ or written.defaults.from_,
        target=group.to or written.defaults.to,
        share=0.0 if kill else group.percent,
        sticky=group.sticky or written.defaults.sticky,
        kill=kill,
    )


def _say(placement: Placement) -> str:
    if placement.kill:
        return f"killed: all on {placement.source}"
    if placement.group is None or placement.share == 0:
        return f"all on {placement.source}"
    return f"{placement.share:g} % on {placement.target}"


def _side(placement: Placement, bucket: float) -> str:
    return placement.target if bucket < placement.share else placement.source


def _moved(old: Placement, new: Placement, *, redrawn: bool) -> tuple[tuple[str, str, float], ...]:
    """How many percent of the users go from which side to which."""
    moved: dict[tuple[str, str], float] = {}

    def note(source: str, target: str, share: float) -> None:
        if source != target and share > 0:
            moved[source, target] = moved.get((source, target), 0.0) + share

    if redrawn:
        # New buckets have nothing to do with the old ones.
        for source, here in ((old.target, old.share), (old.source, 100 - old.share)):
            for target, there in ((new.target, new.share), (new.source, 100 - new.share)):
                note(source, target, here * there / 100)
    else:
        edges = sorted({0.0, old.share, new.share, 100.0})
        for low, high in pairwise(edges):
            note(_side(old, low), _side(new, low), high - low)
    return tuple((source, target, round(share, 4)) for (source, target), share in moved.items())


def _risks(
    old: WrittenConfig, new: WrittenConfig, before: Mapping[Key, Placement], after: Mapping[Key, Placement]
) -> Iterator[Risk]:
    if old.written.salt != new.written.salt:
        yield Risk(
            RiskCode.SALT_CHANGED, None, "the salt changes: every user is drawn anew, in all groups at once"
        )
    for key, here in before.items():
        if here.group is not None and key in after and after[key].group is None:
            yield Risk(
                RiskCode.ROUTE_UNCLAIMED,
                here.group,
                f"{_label(key)} leaves group {here.group} for none: all of it goes to {after[key].source}",
            )
    for name, group in new.written.groups.items():
        earlier = _placement(old, name) if name in old.written.groups else None
        yield from _risks_of_group(name, group, earlier, _placement(new, name), old, new)
    yield from _split_neighbours(old, new)
    yield from _split_bundles(old, new)


def _risks_of_group(
    name: str,
    group: WrittenGroup,
    here: Placement | None,
    there: Placement,
    old: WrittenConfig,
    new: WrittenConfig,
) -> Iterator[Risk]:
    if here is not None and here.sticky != there.sticky and max(here.share, there.share) > 0:
        yield Risk(
            RiskCode.STICKY_CHANGED,
            name,
            f"{name} is drawn by {there.sticky} instead of {here.sticky}: its users are drawn anew",
        )
    if here is not None and here.kill and not there.kill and there.share > 0:
        yield Risk(
            RiskCode.KILL_RELEASED,
            name,
            f"{name} is no longer killed: {there.share:g} % go to {there.target} at once",
        )
    if here is not None and there.share > 0 and (lost := _lost_guards(old, new, name)):
        yield Risk(
            RiskCode.GUARD_REMOVED,
            name,
            f"requests of {name} with {', '.join(lost)} no longer stay on {there.source}",
        )
    share = here.share if here is not None else 0.0
    if there.share - share > LARGE_STEP and here is not None:
        yield Risk(RiskCode.LARGE_STEP, name, f"{name} rises from {share:g} to {there.share:g} % in one step")
    if there.share > share and (behind := _reads_behind(name, there.share, new)):
        yield Risk(
            RiskCode.WRITES_BEFORE_READS,
            name,
            f"writes of {name} rise to {there.share:g} % while its reads are behind: {', '.join(behind)}",
        )
    if there.share < share and group.stage is not None and group.stage >= WHOLE_STAGES_FROM:
        stay = [
            other
            for other, one in new.written.groups.items()
            if one.stage == group.stage and _placement(new, other).share > there.share
        ]
        if stay:
            yield Risk(
                RiskCode.PARTIAL_ROLLBACK,
                name,
                f"{name} goes back to {there.share:g} %, but others of stage {group.stage} do not: "
                f"{', '.join(stay)}; from stage {WHOLE_STAGES_FROM} on a whole stage goes back at a time",
            )


def _lost_guards(old: WrittenConfig, new: WrittenConfig, name: str) -> list[str]:
    """What kept requests of a group on the old side and does so no more."""
    was = old.written.groups[name].keep_on_legacy or old.written.defaults.keep_on_legacy
    now = new.written.groups[name].keep_on_legacy or new.written.defaults.keep_on_legacy
    kinds = (
        ("parameter", was.query, now.query),
        ("session key", was.session, now.session),
        ("header", was.headers, now.headers),
    )
    return [f"{kind} {guard}" for kind, before, after in kinds for guard in before if guard not in after]


def _reads_behind(name: str, share: float, config: WrittenConfig) -> list[str]:
    """Groups with reads of the controllers that `name` writes with, at a smaller share."""
    rows = [config.rows[index] for index in config.members[name]]
    if all(row.repeat is not Repeat.UNSAFE or row.methods == ("GET",) for row in rows):
        return []
    controllers = {row.name.partition("#")[0] for row in rows if row.methods != ("GET",)}
    behind = []
    for other, indexes in config.members.items():
        reads = (config.rows[index] for index in indexes if config.rows[index].methods == ("GET",))
        placed = _placement(config, other).share
        if (
            other != name
            and placed < share
            and any(row.name.partition("#")[0] in controllers for row in reads)
        ):
            behind.append(f"{other} at {placed:g} %")
    return behind


def _split_neighbours(old: WrittenConfig, new: WrittenConfig) -> Iterator[Risk]:
    for circle, names in new.written.neighbours.items():
        shares = {name: _placement(new, name).share for name in names}
        changed = [
            name
            for name in names
            if (_placement(old, name).share if name in old.written.groups else 0.0) != shares[name]
        ]
        for name in changed:
            apart = [f"{other} at {share:g} %" for other, share in shares.items() if share != shares[name]]
            if apart:
                yield Risk(
                    RiskCode.NEIGHBOURS_SPLIT,
                    name,
                    f"{name} goes to {shares[name]:g} %, its neighbours ({circle}) do not: {', '.join(apart)}",
                )


def _split_bundles(old: WrittenConfig, new: WrittenConfig) -> Iterator[Risk]:
    """Groups that a change sends elsewhere than the rest of their bundle; unequal percentages are errors already."""
    for bundle, names in new.written.bundles.items():
        places = {name: _placement(new, name) for name in names}
        for name, here in places.items():
            earlier = _placement(old, name) if name in old.written.groups else None
            together = bundle in old.written.bundles and name in old.written.bundles[bundle]
            if together and earlier is not None and _users_of(earlier) == _users_of(here):
                continue
            apart = [
                f"{other} ({_say(there)})"
                for other, there in places.items()
                if _users_of(there) != _users_of(here)
            ]
            if apart:
                yield Risk(
                    RiskCode.BUNDLE_SPLIT,
                    name,
                    f"{name} ({_say(here)}) stands apart from others of bundle {bundle}, which write the same rows: "
                    f"{', '.join(apart)}",
                )


def _users_of(placement: Placement) -> tuple[str, ...]:
    """What is equal where the same users are on the same sides."""
    if placement.share == 0:
        return (placement.source,)
    return placement.source, placement.target, f"{placement.share:g}", placement.sticky
