# SPDX-License-Identifier: AGPL-3.0-or-later
"""Names to things: which routes a group holds, which backend, ramp and bundle it means. Every contradiction is noted.

A route belongs to at most one group. Which of two routes answers a path is decided by the catalogue's order alone,
never by the order of the groups.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate as translate_glob

from proxy.config import notation
from proxy.config.errors import Code, did_you_mean
from proxy.config.hidden import note_unreachable
from proxy.config.kinds import Path, Walk
from proxy.config.written import CatalogueRow, Repeat, Written, WrittenGroup

_LITERAL = re.compile(r"([A-Z]+(?:\|[A-Z]+)*) +(\S.*)")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def resolve(
    written: Written, catalogue: tuple[CatalogueRow, ...] | None, walk: Walk, *, complete: bool = True
) -> tuple[tuple[CatalogueRow, ...], dict[str, tuple[int, ...]]]:
    """All routes, and which of them each group holds (by index).

    `catalogue` is None where the file names none; then the groups' own `METHOD /path` entries are the routes, in the
    order of the file. Where rows of it could not be read (not `complete`), names that it lacks are not remarked.
    """
    selector = _Selector(catalogue, walk, complete)
    members = {name: selector.of_group(name, group) for name, group in written.groups.items()}
    rows = selector.rows
    _check_owners(members, rows, walk)
    if catalogue is None:
        note_unreachable(rows, selector.places, walk)
    for name, group in written.groups.items():
        _check_group(name, group, written, walk)
        _check_members(name, group, [rows[index] for index in members[name]], written, walk)
    _check_names(written, walk)
    _check_bundles(written, walk)
    return rows, {name: tuple(indexes) for name, indexes in members.items()}


class _Selector:
    """Turns the `routes` of groups into rows."""

    def __init__(self, catalogue: tuple[CatalogueRow, ...] | None, walk: Walk, complete: bool) -> None:
        self._walk = walk
        self._complete = complete
        self._open = catalogue is None
        self._rows: list[CatalogueRow] = list(catalogue or ())
        self._names = list(dict.fromkeys(row.name for row in self._rows))
        self.places: list[Path] = []

    @property
    def rows(self) -> tuple[CatalogueRow, ...]:
        return tuple(self._rows)

    def of_group(self, name: str, group: WrittenGroup) -> list[int]:
        """Indexes of the group's rows, rising."""
        chosen: set[int] = set()
        for number, entry in enumerate(group.routes):
            chosen.update(self._select(entry, ("groups", name, "routes", number)))
        left = set(chosen)
        for number, entry in enumerate(group.except_):
            path = ("groups", name, "except", number)
            found = self._select(entry, path, define=False)
            left.difference_update(found)
            if found and chosen.isdisjoint(found):
                self._note(Code.UNKNOWN_ROUTE, path, f"{entry} is not among the group's routes", "Remove it.")
        if chosen and not left:
            self._note(
                Code.EMPTY_GROUP,
                ("groups", name),
                f"group {name} holds no route: `except` takes all of them out",
                "Remove the group, or some of its `except`.",
            )
        return sorted(left)

    def _note(self, code: Code, path: Path, message: str, remedy: str) -> None:
        self._walk.findings.add(code, self._walk.place(path), message, remedy)

    def _missing(self, code: Code, path: Path, message: str, remedy: str) -> None:
        """Note that the catalogue lacks something, unless it was lost with a row that could not be read."""
        if self._complete:
            self._note(code, path, message, remedy)

    def _select(self, entry: str, path: Path, *, define: bool = True) -> Sequence[int]:
        literal = _LITERAL.fullmatch(entry)
        if literal:
            return self._literal(literal[1], literal[2], path, define)
        if meant := _nearly_literal(entry):
            self._note(
                Code.UNKNOWN_ROUTE, path, f"{entry} is neither a name nor `METHOD /path`", f"Write {meant}."
            )
            return ()
        if self._open:
            self._note(
                Code.UNKNOWN_ROUTE,
                path,
                f"{entry} is a name, but the file has no catalogue to look it up in",
                "Name a catalogue (`catalogue: routes.yaml`), or write the route as `GET /path`.",
            )
            return ()
        if any(sign in entry for sign in "*?["):
            fits = re.compile(translate_glob(entry)).match
            code, message = Code.EMPTY_GLOB, f"no route's name fits {entry}"
            found = [index for index, row in enumerate(self._rows) if fits(row.name)]
        else:
            code, message = Code.UNKNOWN_ROUTE, f"the catalogue has no route named {entry}"
            found = [index for index, row in enumerate(self._rows) if row.name == entry]
        if not found:
            remedy = did_you_mean(entry, self._names, "Look its name up in the catalogue.")
            self._missing(code, path, message, remedy)
        return found

    def _literal(self, method: str, text: str, path: Path, define: bool) -> Sequence[int]:
        methods = () if method == "ANY" else tuple(dict.fromkeys(method.split("|")))
        try:
            pattern = notation.parse(text)
        except notation.NotationError as error:
            self._note(Code.BAD_PATH, path, str(error), "Write the path as `rails routes` prints it.")
            return ()
        wanted = pattern.without_format.rstrip("/")
        found = [
            index
            for index, row in enumerate(self._rows)
            if _without_format(row.path) == wanted
            and (row.methods == methods or (methods and set(methods) <= set(row.methods)))
        ]
        if not found and self._open and define:
            return [self._define(methods, pattern.path, path)]
        if not found:
            known = [f"{row.method} {_without_format(row.path)}" for row in self._rows]
            remedy = did_you_mean(f"{method} {wanted}", known, "Write it as the catalogue does.")
            self._missing(Code.UNKNOWN_ROUTE, path, f"the catalogue has no route {method} {text}", remedy)
        return found

    def _define(self, methods: tuple[str, ...], text: str, path: Path) -> int:
        """A route of the group's own, where there is no catalogue."""
        safe = bool(methods) and _SAFE_METHODS.issuperset(methods)
        self._rows.append(
            CatalogueRow(
                methods,
                text,
                f"{'|'.join(methods) or 'ANY'} {text}",
                Repeat.SAFE if safe else Repeat.UNSAFE,
                "" if safe else "not known to be repeatable",
            )
        )
        self.places.append(path)
        return len(self._rows) - 1


def _without_format(path: str) -> str:
    return path.removesuffix("(.:format)").rstrip("/")


def _nearly_literal(entry: str) -> str | None:
    """What was meant by an entry that has a path, but no method in capitals; None for names and globs."""
    found = re.fullmatch(r"(?:([A-Za-z|]+)\s+)?(/\S*)", entry)
    return f"`{(found[1] or 'GET').upper()} {found[2]}`" if found else None


def _check_owners(members: Mapping[str, list[int]], rows: Sequence[CatalogueRow], walk: Walk) -> None:
    owner: dict[int, str] = {}
    for name, indexes in members.items():
        for index in indexes:
            first = owner.setdefault(index, name)
            if first != name:
                walk.findings.add(
                    Code.ROUTE_IN_TWO_GROUPS,
                    walk.place(("groups", name, "routes")),
                    f"{rows[index].name} ({rows[index].method} {rows[index].path}) is in group {first} too",
                    "Take it out of one of them, for example with `except`.",
                )


def _check_group(name: str, group: WrittenGroup, written: Written, walk: Walk) -> None:
    for attribute, spelt in (("from_", "from"), ("to", "to")):
        backend = getattr(group, attribute)
        if backend is not None:
            _known_backend(backend, ("groups", name, spelt), written, walk)
    if group.ramp is not None and not walk.is_written(("ramps", group.ramp)):
        walk.findings.add(
            Code.UNKNOWN_RAMP,
            walk.place(("groups", name, "ramp")),
            f"there is no ramp {group.ramp}",
            did_you_mean(group.ramp, list(written.ramps), "Define it under `ramps`."),
        )
    source, target = group.from_ or written.defaults.from_, group.to or written.defaults.to
    if source == target:
        walk.findings.add(
            Code.SAME_SIDES,
            walk.place(("groups", name)),
            f"group {name} moves from {source} to {target}: its share changes nothing",
            "Name two different backends in `from` and `to`.",
        )


def _known_backend(backend: str, path: Path, written: Written, walk: Walk) -> None:
    if not walk.is_written(("backends", backend)) and written.backends:
        walk.findings.add(
            Code.UNKNOWN_BACKEND,
            walk.place(path),
            f"there is no backend {backend}",
            did_you_mean(backend, list(written.backends), "Define it under `backends`."),
        )


def _check_members(
    name: str, group: WrittenGroup, rows: Sequence[CatalogueRow], written: Written, walk: Walk
) -> None:
    with_token = ", ".join(dict.fromkeys(row.name for row in rows if row.body_token))
    ramp = written.ramps.get(group.ramp or "")
    for key, shares in (("percent", (group.percent,)), ("ramp", ramp.steps if ramp else ())):
        split = [share for share in shares if share not in (0, 100)]
        if with_token and split:
            walk.findings.add(
                Code.SPLIT_BODY_TOKEN,
                walk.place(("groups", name, key)),
                f"{with_token} may carry a token in the body, which the edge does not read: "
                f"{name} cannot be split at {', '.join(f'{share:g}' for share in split)} %",
                "Use 0 or 100 and no ramp, or give such routes a group of their own.",
            )
    if group.shadow and rows and all(row.repeat is Repeat.UNSAFE for row in rows):
        walk.findings.add(
            Code.UNSAFE_SHADOW,
            walk.place(("groups", name, "shadow")),
            f"none of the routes of {name} may be repeated: nothing will be compared",
            "Set `shadow: 0`; writes are compared by replaying recordings.",
        )


def _check_names(written: Written, walk: Walk) -> None:
    _known_backend(written.defaults.from_, ("defaults", "from"), written, walk)
    _known_backend(written.defaults.to, ("defaults", "to"), written, walk)
    for number, pin in enumerate(written.pins):
        _known_backend(pin.to, ("pins", number, "to"), written, walk)
        if sum(one is not None for one in (pin.user, pin.cookie, pin.api_key)) != 1:
            walk.findings.add(
                Code.BAD_VALUE,
                walk.place(("pins", number)),
                "a pin names exactly one of user, cookie and api_key",
                "Keep one of them; write a second pin for the other.",
            )
        for place, group in enumerate(pin.groups):
            _known_group(group, ("pins", number, "groups", place), written, walk)
    for circle, names in written.neighbours.items():
        for number, name in enumerate(names):
            _known_group(name, ("neighbours", circle, number), written, walk)
    used = {group.ramp for group in written.groups.values()}
    for name, ramp in written.ramps.items():
        if name not in used:
            walk.findings.add(
                Code.UNUSED_RAMP,
                walk.place(("ramps", name)),
                f"no group uses ramp {name}",
                "Remove it, or name it in a group.",
            )
        if list(ramp.steps) != sorted(set(ramp.steps)):
            walk.findings.add(
                Code.BAD_VALUE,
                walk.place(("ramps", name, "steps")),
                f"the steps of ramp {name} do not rise",
                "Write them in rising order, each once.",
            )
        for number, step in enumerate(ramp.confirm):
            if step not in ramp.steps:
                walk.findings.add(
                    Code.BAD_VALUE,
                    walk.place(("ramps", name, "confirm", number)),
                    f"{step:g} is no step of ramp {name}: nobody would ever be asked",
                    f"Name one of {', '.join(f'{one:g}' for one in ramp.steps)}.",
                )


def _known_group(group: str, path: Path, written: Written, walk: Walk) -> bool:
    """Whether a group can be looked at: it is there, and could be read."""
    if group in written.groups:
        return True
    if walk.is_written(("groups", group)):
        return False
    walk.findings.add(
        Code.UNKNOWN_GROUP,
        walk.place(path),
        f"there is no group {group}",
        did_you_mean(group, list(written.groups), "Define it under `groups`."),
    )
    return False


def _check_bundles(written: Written, walk: Walk) -> None:
    bundle_of: dict[str, str] = {}
    for bundle, names in written.bundles.items():
        known = [
            name
            for number, name in enumerate(names)
            if _known_group(name, ("bundles", bundle, number), written, walk)
            and walk.is_sound(("groups", name, "percent"))
        ]
        shares = {written.groups[name].percent for name in known}
        if len(shares) > 1:
            walk.findings.add(
                Code.UNEQUAL_BUNDLE,
                walk.place(("bundles", bundle)),
                f"bundle {bundle} has unequal shares: "
                + ", ".join(f"{name} {written.groups[name].percent:g} %" for name in known),
                "They write the same rows: give them one share.",
            )
        elif apart := _apart({name: written.groups[name] for name in known}, written):
            walk.findings.add(
                Code.SPLIT_BUNDLE,
                walk.place(("bundles", bundle)),
                f"the groups of bundle {bundle} differ in {' and '.join(apart)}: "
                "their users stand, or will stand, on different sides",
                "They write the same rows: give them the same, or take one out.",
            )
        for number, name in enumerate(names):
            first = bundle_of.setdefault(name, bundle)
            if first != bundle:
                walk.findings.add(
                    Code.GROUP_IN_TWO_BUNDLES,
                    walk.place(("bundles", bundle, number)),
                    f"group {name} is in bundle {first} too",
                    "Merge the two bundles.",
                )


def _apart(groups: Mapping[str, WrittenGroup], written: Written) -> list[str]:
    """The keys by which groups of equal shares send one user to different sides, now or on their ramps."""
    defaults = written.defaults
    keys: dict[str, set[object]] = {
        "kill": {group.kill for group in groups.values() if group.percent},
        "from": {group.from_ or defaults.from_ for group in groups.values()},
        "to": {group.to or defaults.to for group in groups.values()},
        "sticky": {group.sticky or defaults.sticky for group in groups.values()},
        "ramp": {group.ramp for group in groups.values()},
    }
    return [key for key, values in keys.items() if len(values) > 1]
