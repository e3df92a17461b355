# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named SQL statements: source code in `queries.sql` beside each vertical, bound to Python types in its `store`.

    -- name: reactions_on
    -- What it answers, in a sentence.
    SELECT id, reaction FROM reactions WHERE reactable_id = ANY(:ids::bigint[])

    queries = sql.load(__file__)
    reactions_on = queries.many("reactions_on", Reaction)
    rows = await reactions_on(db, ids=[1, 2])

Parameters are named `:name`; casts (`::type`) and text in single quotes are left alone. Loading fails with
file and line where the file is malformed, and binding where a name is missing; `unbound` and the tests see
to it that every statement has a user, and prepare each one against the real schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import msgspec

Row = TypeVar("Row", bound=msgspec.Struct)
Scalar = TypeVar("Scalar")
Bound = TypeVar("Bound", bound="AnyBound")

_NAME = re.compile(r"--\s*name:\s*(?P<name>\w*)\s*")
_TOKEN = re.compile(r"'(?:[^']|'')*'|::|:(?P<parameter>[a-z_]\w*)")


class SqlError(Exception):
    """A file of statements is malformed, or a statement is missing; the message has file and line."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with `$1`, `$2`, … in place of its parameters."""

    name: str
    text: str
    parameters: tuple[str, ...]
    file: Path
    line: int
    lines: tuple[int, ...] = ()
    """Where each line of the text stands in the file."""

    @property
    def label(self) -> str:
        """The vertical's name and the statement's, for logs."""
        return f"{self.file.parent.name}.{self.name}"

    def arguments(self, given: dict[str, Any]) -> list[Any]:
        """The values in the statement's order. Raises `TypeError` unless the names are exactly the statement's."""
        if given.keys() != set(self.parameters):
            raise TypeError(f"{self.name} takes {', '.join(self.parameters)}; got {', '.join(given)}")
        return [given[name] for name in self.parameters]


class Executor(Protocol):
    """What runs statements: `db.Session`, or a counting stand-in."""

    async def fetch(self, statement: Statement, arguments: list[Any]) -> list[Any]:
        """All rows, as mappings from column to value in the statement's order."""


@dataclass(frozen=True, slots=True)
class Many(Generic[Row]):
    """A statement that answers rows."""

    statement: Statement
    row: type[Row]

    async def __call__(self, db: Executor, **parameters: Any) -> list[Row]:
        """Run it."""
        rows = await db.fetch(self.statement, self.statement.arguments(parameters))
        return [self.row(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class One(Generic[Row]):
    """A statement that answers one row or none."""

    statement: Statement
    row: type[Row]

    async def __call__(self, db: Executor, **parameters: Any) -> Row | None:
        """Run it."""
        rows = await db.fetch(self.statement, self.statement.arguments(parameters))
        return self.row(**rows[0]) if rows else None


@dataclass(frozen=True, slots=True)
class Values(Generic[Scalar]):
    """A statement that answers one column."""

    statement: Statement
    scalar: type[Scalar]

    async def __call__(self, db: Executor, **parameters: Any) -> list[Scalar]:
        """Run it."""
        return [row[0] for row in await db.fetch(self.statement, self.statement.arguments(parameters))]


@dataclass(frozen=True, slots=True)
class Command:
    """A statement that answers nothing."""

    statement: Statement

    async def __call__(self, db: Executor, **parameters: Any) -> None:
        """Run it."""
        await db.fetch(self.statement, self.statement.arguments(parameters))


AnyBound: TypeAlias = Many[Any] | One[Any] | Values[Any] | Command
"""A statement with what it is bound to."""


class Queries:
    """The statements of one file."""

    def __init__(self, file: Path, statements: dict[str, Statement]) -> None:
        """Use `load`."""
        self.file = file
        self.statements = statements
        self.bound: dict[str, AnyBound] = {}

    def many(self, name: str, row: type[Row]) -> Many[Row]:
        """Bind a statement that answers rows."""
        return self._bind(name, Many(self._statement(name), row))

    def one(self, name: str, row: type[Row]) -> One[Row]:
        """Bind a statement that answers one row or none."""
        return self._bind(name, One(self._statement(name), row))

    def values(self, name: str, scalar: type[Scalar]) -> Values[Scalar]:
        """Bind a statement that answers one column."""
        return self._bind(name, Values(self._statement(name), scalar))

    def command(self, name: str) -> Command:
        """Bind a statement that answers nothing."""
        return self._bind(name, Command(self._statement(name)))

    def unbound(self) -> set[str]:
        """The names of statements that nobody uses."""
        return self.statements.keys() - self.bound.keys()

    def _statement(self, name: str) -> Statement:
        if name not in self.statements:
            raise SqlError(f"{self.file}: there is no statement {name}")
        return self.statements[name]

    def _bind(self, name: str, bound: Bound) -> Bound:
        self.bound[name] = bound
        return bound


_loaded: dict[Path, Queries] = {}


def load(beside: str) -> Queries:
    """The statements of the `queries.sql` beside the module file `beside`; modules of a folder share them.

    Raises `SqlError`.
    """
    file = Path(beside).with_name("queries.sql")
    if file not in _loaded:
        _loaded[file] = Queries(file, {one.name: one for one in parse(file.read_text("utf-8"), file)})
    return _loaded[file]


def loaded() -> list[Queries]:
    """Every file that was loaded so far, for checks over all statements."""
    return list(_loaded.values())


def parse(text: str, file: Path) -> Iterator[Statement]:
    """Cut a file into statements. Raises `SqlError` with file and line."""
    seen: set[str] = set()
    name, start, lines, numbers = "", 0, list[str](), list[int]()
    for number, line in enumerate([*text.splitlines(), "-- name: end"], 1):
        if (header := _NAME.fullmatch(line)) is None:
            if line.strip() and not line.startswith("--"):
                if not name:
                    raise SqlError(f"{file}:{number}: a statement needs a line '-- name: …' before it")
                lines.append(line)
                numbers.append(number)
            continue
        if name:
            if not lines:
                raise SqlError(f"{file}:{start}: {name} has no statement")
            yield _statement(name, "\n".join(lines), file, start, tuple(numbers))
        if not header["name"]:
            raise SqlError(f"{file}:{number}: a name is missing")
        if header["name"] in seen:
            raise SqlError(f"{file}:{number}: {header['name']} is there twice")
        name, start, lines, numbers = header["name"], number, [], []
        seen.add(name)


def _statement(name: str, text: str, file: Path, line: int, lines: tuple[int, ...]) -> Statement:
    parameters: list[str] = []

    def place(token: re.Match[str]) -> str:
        parameter = token["parameter"]
        if parameter is None:
            return token[0]
        if parameter not in parameters:
            parameters.append(parameter)
        return f"${parameters.index(parameter) + 1}"

    plain = _TOKEN.sub(place, text).rstrip().rstrip(";")
    return Statement(name, plain, tuple(parameters), file, line, lines)
