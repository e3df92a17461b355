# SPDX-License-Identifier: AGPL-3.0-or-later
"""Names to things: which routes a group holds, which backend, ramp and bundle it means. Every contradiction is noted.

A route belongs to at most one group. Which of two routes answers a path is decided by the catalogue's order alone,
never by the order of the groups.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate as translate_glob

from proxy.config import notation
from proxy.config.errors import Code, Findings, did_you_mean
from proxy.config.kinds import Path, Walk
from proxy.config.written import CatalogueRow, Repeat, Written, WrittenGroup

_LITERAL = re.compile(r"([A-Z]+(?:\|[A-Z]+)*) +(\S.*)")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def resolve(
    written: Written, catalogue: tuple[CatalogueRow, ...] | None, walk: Walk
) -> tuple[tuple[CatalogueRow, ...], dict[str, tuple[int, ...]]]:
    """All routes, and which of them each group holds (by index).

    `catalogue` is None where the file names none; then the groups' own `METHOD /path` entries are the routes, in the
    order of the file.
    """
    selector = _Selector(catalogue, walk)
    members = {name: selector.of_group(name, group) for name, group in written.groups.items()}
    rows = selector.rows
    _check_owners(members, rows, walk)
    if catalogue is None:
        note_unreachable(rows, selector.places, walk.findings, walk)
    for name, group in written.groups.items():
        _check_group(name, group, written, walk)
        _check_members(name, group, [rows[index] for index in members[name]], written, walk)
    _check_names(written, walk)
    _check_bundles(written, walk)
    return rows, {name: tuple(indexes) for name, indexes in members.items()}


class _Selector:
    """Turns the `routes` of groups into rows."""

    def __init__(self, catalogue: tuple[CatalogueRow, ...] | None, walk: Walk) -> None:
        self._walk = walk
        self._open = catalogue is None
        self._rows: list[CatalogueRow] = list(catalogue or ())
        self._names = list(dict.fromkeys(row.name for row in self._rows))
        self.places: list[Path] = []

    @property
    def rows(self) -> tuple[CatalogueRow, ...]:
        return tuple(self._rows)

    def of_group(self, name: str, group: WrittenGroup) -> list[int]:
        """Indexes of the group's rows, rising."""
        chosen: dict[int, None] = {}
        for number, entry in enumerate(group.routes):
            chosen.update(dict.fromkeys(self._select(entry, ("groups", name, "routes", number))))
        for number, entry in enumerate(group.except_):
            path = ("groups", name, "except", number)
            for index in self._select(entry, path, define=False):
                if index not in chosen:
                    self._note(
                        Code.UNKNOWN_ROUTE, path, f"{entry} is not among the group's routes", "Remove it."
                    )
                    break
                del chosen[index]
        if group.routes and not chosen and not self._walk.findings.found:
            self._note(
                Code.EMPTY_GROUP,
                ("groups", name),
                f"group {name} holds no route: `except` takes all of them out",
                "Remove the group, or some of its `except`.",
            )
        return sorted(chosen)

    def _note(self, code: Code, path: Path, message: str, remedy: str) -> None:
        self._walk.findings.add(code, self._walk.place(path), message, remedy)

    def _select(self, entry: str, path: Path, *, define: bool = True) -> Sequence[int]:
        literal = _LITERAL.fullmatch(entry)
        if literal:
            return self._literal(literal[1], literal[2], path, define)
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
            found = [index for index, row in enumerate(self._rows) if fits(row.name)]
            if not found:
                self._note(
                    Code.EMPTY_GLOB,
                    path,
                    f"no route's name fits {entry}",
                    did_you_mean(entry, self._names, "`banyan explain` shows the names of routes."),
                )
            return found
        found = [index for index, row in enumerate(self._rows) if row.name == entry]
        if not found:
            self._note(
                Code.UNKNOWN_ROUTE,
                path,
                f"the catalogue has no route named {entry}",
                did_you_mean(entry, self._names, "`banyan explain` shows the names of routes."),
            )
        return found

    def _literal(self, method: str, path_text: str, path: Path, define: bool) -> Sequence[int]:
        methods = () if method == "ANY" else tuple(dict.fromkeys(method.split("|")))
        try:
            pattern = notation.parse(path_text)
        except notation.NotationError as error:
            self._note(Code.BAD_PATH, path, str(error), "Write the path as `rails routes` prints it.")
            return ()
        wanted = pattern.without_format
        found = [
            index
            for index, row in enumerate(self._rows)
            if row.path.removesuffix("(.:format)").rstrip("/") == wanted.rstrip("/")
            and (row.methods == methods or (methods and set(methods) <= set(row.methods)))
        ]
        if found or not (self._open and define):
            if not found:
                paths = [f"{row.method} {row.path.removesuffix('(.:format)')}" for row in self._rows]
                self._note(
                    Code.UNKNOWN_ROUTE,
                    path,
                    f"the catalogue has no route {method} {path_text}",
                    did_you_mean(f"{method} {wanted}", paths, "Write it as the catalogue does."),
                )
            return found
        repeat = Repeat.SAFE if set(methods) <= _SAFE_METHODS and methods else Repeat.UNSAFE
        why = "" if repeat is Repeat.SAFE else "not known to be repeatable"
        self._rows.append(CatalogueRow(methods, pattern.path, f"{method} {pattern.path}", repeat, why))
        self.places.append(path)
        return [len(self._rows) - 1]


def note_unreachable(
    rows: Sequence[CatalogueRow], places: Sequence[Path], findings: Findings, walk: Walk
) -> None:
    """Note every route that routes before it hide entirely."""
    for index, hidden_by in unreachable(rows):
        row, first = rows[index], rows[hidden_by]
        findings.add(
            Code.UNREACHABLE_ROUTE,
            walk.place(places[index]),
            f"{row.method} {row.path} can never match: {first.method} {first.path} stands before it",
            "Remove it, or move it up to where Rails has it.",
        )


def unreachable(rows: Sequence[CatalogueRow]) -> Iterable[tuple[int, int]]:
    """Indexes of routes that routes before them hide entirely, each with the (last) route that hides it.

    A route is hidden when, for each of its methods, every shape of its path is covered by a shape of an earlier one.
    Routes with constraints or engines hide only their exact likes: what their expressions match is not compared.
    """
    seen: list[tuple[int, frozenset[str], tuple[notation.Shape, ...]]] = []
    exact: dict[tuple[str, str, str], int] = {}
    for index, row in enumerate(rows):
        pattern = notation.parse(row.path, row.constraints, mount=row.mount)
        methods = row.methods or ("",)
        shapes = pattern.shapes()
        hider = -1
        for method in methods:
            marks = (method, pattern.path, repr(sorted(row.constraints.items())))
            covers = [exact[marks]] if marks in exact else []
            if not covers and shapes is not None:
                covers = _covering(shapes, method, seen)
            if not covers:
                hider = -1
                break
            hider = max(hider, *covers)
        else:
            yield index, hider
        for method in methods:
            exact.setdefault((method, pattern.path, repr(sorted(row.constraints.items()))), index)
        if shapes is not None:
            seen.append((index, frozenset(row.methods), shapes))


def _covering(
    shapes: tuple[notation.Shape, ...],
    method: str,
    seen: Sequence[tuple[int, frozenset[str], tuple[notation.Shape, ...]]],
) -> list[int]:
    """For each shape the first earlier route that covers it; empty where one is not covered."""
    found = []
    for shape in shapes:
        for index, methods, earlier in seen:
            if (not methods or method in methods) and any(one.covers(shape) for one in earlier):
                found.append(index)
                break
        else:
            return []
    return found


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
    if group.ramp is not None and group.ramp not in written.ramps:
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
    if backend not in written.backends:
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
        if with_token and any(share not in (0, 100) for share in shares):
            walk.findings.add(
                Code.SPLIT_BODY_TOKEN,
                walk.place(("groups", name, key)),
                f"{with_token} may carry a token in the body, which the edge does not read: "
                f"{name} cannot be split at {', '.join(f'{share:g}' for share in shares)} %",
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


def _known_group(group: str, path: Path, written: Written, walk: Walk) -> bool:
    if group in written.groups:
        return True
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
        for number, name in enumerate(names):
            first = bundle_of.setdefault(name, bundle)
            if first != bundle:
                walk.findings.add(
                    Code.GROUP_IN_TWO_BUNDLES,
                    walk.place(("bundles", bundle, number)),
                    f"group {name} is in bundle {first} too",
                    "Merge the two bundles.",
                )
