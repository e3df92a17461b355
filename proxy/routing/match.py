# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which route a request means: a path tree that agrees with Rails' first match.

Rails tries its routes in the order in which they were drawn; the first whose method and path match wins. A tree over
path segments finds the candidates in about a microsecond instead of trying hundreds; the lowest index among them is
the answer. A path that the tree cannot express (see `notation.Pattern.shapes`) hangs in it as a regular expression,
below the plain segments it begins with.

The tree is made of tuples, dicts, bytes and ints only, because those unpickle fast; `build_tree` makes it and
`Matcher` walks it. Paths are normalised as Rails does it before it looks for a route, and not decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from proxy.config.notation import Pattern, Shape, Wild

ANY_METHOD = b"*"
"""Stands for every method in the tree's tables (no HTTP method is spelt so)."""

NOTHING = 1 << 30
"""An index above every route's."""

MEMO_ENTRIES = 4096
MEMO_LENGTH = 256
"""How many answers are remembered, and of methods and paths up to which length: at most about 2 MB."""

Methods = dict[bytes, int]


class Node(NamedTuple):
    """A place in the tree, reached by some segments.

    `ends`, `formats`, `globs` give the lowest route, by method, for a path that ends here, that ends here with a
    format (`.json`), or that has further segments. `regexes` are tried on the whole path. `lowest` is the lowest index
    at or below this node.
    """

    literals: dict[bytes, Node]
    dynamic: Node | None
    ends: Methods
    formats: Methods
    globs: Methods
    regexes: tuple[tuple[int, frozenset[bytes], bytes], ...]
    lowest: int


_ESCAPE = re.compile(rb"%[a-f0-9]{2}")


def normalise(path: bytes) -> bytes:
    """A raw path as Rails looks at it: slashes squeezed, the last one dropped, `%2f` written `%2F`.

    Source: `ActionDispatch::Journey::Router::Utils.normalize_path`; like there, `%aF` stays as it is.
    """
    if path[:1] != b"/":
        path = b"/" + path
    if b"//" in path:
        path = re.sub(rb"/{2,}", b"/", path)
    if len(path) > 1:
        if path[-1] == 0x2F:
            path = path[:-1]
        if b"%" in path:
            path = _ESCAPE.sub(lambda found: found[0].upper(), path)
    return path


@dataclass(slots=True)
class _Draft:
    """A node while the tree is built."""

    literals: dict[bytes, _Draft] = field(default_factory=dict)
    dynamic: _Draft | None = None
    ends: list[tuple[int, Sequence[str]]] = field(default_factory=list)
    formats: list[tuple[int, Sequence[str]]] = field(default_factory=list)
    globs: list[tuple[int, Sequence[str]]] = field(default_factory=list)
    regexes: list[tuple[int, frozenset[bytes], bytes]] = field(default_factory=list)

    def child(self, segment: str | Wild) -> _Draft:
        if isinstance(segment, str):
            return self.literals.setdefault(segment.encode(), _Draft())
        if self.dynamic is None:
            self.dynamic = _Draft()
        return self.dynamic

    def add(self, index: int, methods: Sequence[str], shape: Shape) -> None:
        node = self
        for segment in shape.segments:
            node = node.child(segment)
        {"": node.ends, ".": node.formats, "*": node.globs}[shape.tail].append((index, methods))

    def finish(self) -> Node:
        literals = {text: draft.finish() for text, draft in self.literals.items()}
        dynamic = None if self.dynamic is None else self.dynamic.finish()
        ends, formats, globs = map(_by_method, (self.ends, self.formats, self.globs))
        below = [node.lowest for node in (*literals.values(), *([dynamic] if dynamic else []))]
        here = [*ends.values(), *formats.values(), *globs.values(), *(index for index, _, _ in self.regexes)]
        lowest = min(below + here, default=NOTHING)
        return Node(literals, dynamic, ends, formats, globs, tuple(self.regexes), lowest)


def _by_method(rows: Iterable[tuple[int, Sequence[str]]]) -> Methods:
    """The lowest index by method; rows come in rising order.

    A route for every method stands under `ANY_METHOD` and under each method that another row names later; HEAD holds
    only routes that name it, because Rails prefers those to any GET.
    """
    table: Methods = {}
    for index, methods in rows:
        if not methods:
            table.setdefault(ANY_METHOD, index)
        for method in methods:
            name = method.encode()
            table.setdefault(name, index if name == b"HEAD" else table.get(ANY_METHOD, index))
    return table


def build_tree(routes: Iterable[tuple[Sequence[str], Pattern]]) -> Node:
    """The tree of routes (methods, none for all, and pattern) in the order in which Rails tries them."""
    root = _Draft()
    for index, (methods, pattern) in enumerate(routes):
        shapes = pattern.shapes()
        if shapes is not None:
            for shape in shapes:
                root.add(index, methods, shape)
            continue
        node = root
        for segment in pattern.literal_prefix():
            node = node.child(segment)
        names = frozenset(method.encode() for method in methods) or frozenset((ANY_METHOD,))
        node.regexes.append((index, names, pattern.regex()))
    return root.finish()


class Matcher:
    """Walks a tree; remembers a bounded number of answers. Pickles as its tree alone."""

    __slots__ = ("_compiled", "_heads", "_memo", "_remembered", "_tree")

    def __init__(self, tree: Node) -> None:
        self._tree = tree
        self._heads = _names_head(tree)
        self._memo: dict[bytes, dict[bytes, int]] = {}  # by method and path
        self._remembered = 0
        self._compiled: dict[bytes, re.Pattern[bytes]] = {}

    def __reduce__(self) -> tuple[type[Matcher], tuple[Node]]:
        return Matcher, (self._tree,)

    def find(self, method: bytes, path: bytes) -> int:
        """The index of the first route that matches, -1 for none. `path` is raw: undecoded, without query."""
        paths = self._memo.get(method)
        found = None if paths is None else paths.get(path)
        if found is None:
            found = self._first(method, normalise(path))
            self._remember(method, path, found)
        return found

    def _remember(self, method: bytes, path: bytes, found: int) -> None:
        if len(path) + len(method) > MEMO_LENGTH:
            return
        if self._remembered >= MEMO_ENTRIES:
            self._memo.clear()
            self._remembered = 0
        self._memo.setdefault(method, {})[path] = found
        self._remembered += 1

    def _first(self, method: bytes, path: bytes) -> int:
        segments = path.split(b"/")
        segments[0] = path
        if path == b"/":
            del segments[1]
        best = NOTHING
        if method == b"HEAD":
            if self._heads:
                best = self._search(self._tree, segments, 1, b"HEAD", b"HEAD", NOTHING)
            method = b"GET"
        if best == NOTHING:
            best = self._search(self._tree, segments, 1, method, ANY_METHOD, NOTHING)
        return -1 if best == NOTHING else best

    def _search(
        self, node: Node, segments: list[bytes], at: int, method: bytes, other: bytes, best: int
    ) -> int:
        """The lowest index below `best` at or under `node`; `segments[0]` is the whole path, `at` the next one."""
        literals, dynamic, ends, _formats, globs, regexes, lowest = node
        if lowest >= best:
            return best
        if at == len(segments):
            best = min(best, _lookup(ends, method, other))
        else:
            segment = segments[at]
            if globs:
                best = min(best, _lookup(globs, method, other))
            child = literals.get(segment)
            if child is not None:
                best = self._search(child, segments, at + 1, method, other, best)
            if b"." in segment:
                if at + 1 == len(segments):
                    best = _formatted(literals, dynamic, segment, method, other, best)
            elif dynamic is not None:
                best = self._search(dynamic, segments, at + 1, method, other, best)
        for index, methods, source in regexes:
            if (
                index < best
                and (method in methods or other in methods)
                and self._regex(source).match(segments[0])
            ):
                best = index
        return best

    def _regex(self, source: bytes) -> re.Pattern[bytes]:
        pattern = self._compiled.get(source)
        if pattern is None:
            pattern = self._compiled[source] = re.compile(source)
        return pattern


def _lookup(table: Methods, method: bytes, other: bytes) -> int:
    found = table.get(method)
    return table.get(other, NOTHING) if found is None else found


def _formatted(
    literals: dict[bytes, Node], dynamic: Node | None, segment: bytes, method: bytes, other: bytes, best: int
) -> int:
    """The last segment read as `stem.format`."""
    stem, _, extension = segment.rpartition(b".")
    if not stem or not extension:
        return best
    child = literals.get(stem)
    if child is not None:
        best = min(best, _lookup(child.formats, method, other))
    if dynamic is not None and b"." not in stem:
        best = min(best, _lookup(dynamic.formats, method, other))
    return best


def _names_head(node: Node) -> bool:
    """Whether any route names HEAD itself."""
    below = [*node.literals.values(), *([node.dynamic] if node.dynamic else [])]
    return (
        any(b"HEAD" in table for table in (node.ends, node.formats, node.globs))
        or any(b"HEAD" in methods for _, methods, _ in node.regexes)
        or any(map(_names_head, below))
    )
