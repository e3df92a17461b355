# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes `rows.py`: a typed row for every table of a schema, from the schema as `pg_dump` writes it. Pure.

    banyan sql models --write     # after Rails' schema has changed
    banyan sql models --check     # part of `make check`

A dump has one column per line, so no database is needed; the tests compare with what PostgreSQL itself says.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PYTHON_OF = {
    "bigint": "int",
    "integer": "int",
    "smallint": "int",
    "boolean": "bool",
    "character varying": "str",
    "character": "str",
    "text": "str",
    "citext": "str",
    "tsvector": "str",
    "double precision": "float",
    "real": "float",
    "numeric": "Decimal",
    "date": "date",
    "timestamp without time zone": "datetime",
    "timestamp with time zone": "datetime",
    "interval": "timedelta",
    "json": "Any",
    "jsonb": "Any",
    "hstore": "dict[str, str | None]",
    "inet": "Address",
    "uuid": "UUID",
    "bytea": "bytes",
}
"""The type of a dump → what `columns.teach` makes asyncpg answer."""

_IMPORTS = {
    "Decimal": "from decimal import Decimal",
    "UUID": "from uuid import UUID",
    "Any": "from typing import Any",
}
_DATETIME = ("date", "datetime", "timedelta")

_TABLE = re.compile(r"CREATE TABLE (?:ONLY )?(?:public\.)?(?P<name>\"?\w+\"?) \($")
_TYPE = re.compile(r"CREATE TYPE (?:public\.)?(?P<name>\"?\w+\"?) AS ENUM")
_COLUMN = re.compile(r"    (?P<name>\"[^\"]+\"|\w+) (?P<rest>.*?),?$")
_SINGULARS = (
    (re.compile(r"(alias|status|ss|x|ch|sh)es$"), r"\1"),
    (re.compile(r"ies$"), "y"),
    (re.compile(r"(?<!s)s$"), ""),
)


class SchemaError(Exception):
    """The schema holds what no row can be written for; the message has the line."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name and its type in Python."""

    name: str
    python: str
    may_be_null: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the schema."""

    name: str
    columns: tuple[Column, ...]

    @property
    def row(self) -> str:
        """The name of its row's class: one of what it holds."""
        words = self.name.split("_")
        for pattern, replacement in _SINGULARS:
            singular = pattern.sub(replacement, words[-1])
            if singular != words[-1]:
                words[-1] = singular
                break
        return "".join(word.capitalize() for word in words)


def parse_schema(text: str) -> list[Table]:
    """The tables of a dump, in its order. Raises `SchemaError`."""
    enumerations = {found["name"].strip('"') for found in map(_TYPE.match, text.splitlines()) if found}
    tables: list[Table] = []
    lines = iter(enumerate(text.splitlines(), 1))
    for _number, line in lines:
        if (found := _TABLE.match(line)) is not None:
            tables.append(Table(found["name"].strip('"'), tuple(_columns(lines, enumerations))))
    return tables


def _columns(lines: Iterator[tuple[int, str]], enumerations: set[str]) -> Iterator[Column]:
    for number, line in lines:
        if line.startswith(")"):
            return
        found = _COLUMN.match(line)
        if found is None or found["name"] == "CONSTRAINT":
            continue
        name = found["name"].strip('"')
        if not name.isidentifier() or keyword.iskeyword(name):
            raise SchemaError(f"line {number}: a row can't have a field {name!r}")
        yield Column(name, _python_of(number, found["rest"], enumerations), " NOT NULL" not in found["rest"])


def _python_of(number: int, rest: str, enumerations: set[str]) -> str:
    bare = re.split(r" (?:DEFAULT|NOT NULL|GENERATED|COLLATE)\b", rest)[0].strip()
    is_array = bare.endswith("[]")
    plain = re.sub(r"\(\d+(?:,\d+)?\)", "", bare.removesuffix("[]")).removeprefix("public.").strip('"')
    python = "str" if plain in enumerations else PYTHON_OF.get(plain)
    if python is None:
        raise SchemaError(
            f"line {number}: no Python type is known for {bare}; add it to PYTHON_OF and columns.py"
        )
    return f"list[{python}]" if is_array else python


_HEAD = '''# SPDX-License-Identifier: AGPL-3.0-or-later
"""A row of every table, as asyncpg answers it. Written by `banyan sql models --write`; not to be edited.

Times are UTC without saying so, with microseconds. A store may take such a row as it is (`SELECT * FROM …`), or a
smaller one of its own, which `banyan sql check` compares with the schema all the same.
"""

from __future__ import annotations

'''


def write(tables: Iterable[Table]) -> str:
    """The module."""
    tables = sorted(tables, key=lambda table: table.name)
    used = " ".join(column.python for table in tables for column in table.columns)
    words = set(re.findall(r"\w+", used))
    dates = ", ".join(name for name in _DATETIME if name in words)
    lines = [f"from datetime import {dates}\n"] if dates else []
    lines += [f"{line}\n" for name, line in _IMPORTS.items() if name in words]
    addresses = ""
    if "Address" in words:
        lines.append("from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface\n")
        addresses = "\nAddress = IPv4Address | IPv4Interface | IPv6Address | IPv6Interface\n"
    lines.sort(key=lambda line: line.split()[1])
    parts = [_HEAD, *lines, "\nimport msgspec\n", addresses]
    for table in tables:
        fields = "".join(
            f"    {one.name}: {one.python}{' | None' if one.may_be_null and one.python != 'Any' else ''}\n"
            for one in table.columns
        )
        head = f"class {table.row}(msgspec.Struct, frozen=True, kw_only=True):"
        parts.append(f'\n\n{head}\n    """A row of `{table.name}`."""\n\n{fields}')
    named = "".join(f'    "{table.name}": {table.row},\n' for table in tables)
    parts.append(
        f'\n\nTABLES: dict[str, type[msgspec.Struct]] = {{\n{named}}}\n"""Every table, by name."""\n'
    )
    return "".join(parts)
