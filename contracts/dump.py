# SPDX-License-Identifier: AGPL-3.0-or-later
"""A plain-text dump (as pg_dump writes it), cut into what is run and what is loaded. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_COPY = re.compile(r"COPY (?P<table>[^(]+?) \((?P<columns>.*)\) FROM stdin;")
_NAME = re.compile(r'"(?P<quoted>(?:[^"]|"")*)"|(?P<bare>[^",.\s]+)')


class DumpError(Exception):
    """A dump that is not whole; the message says where."""


@dataclass(frozen=True, slots=True)
class Script:
    """Statements to run as they stand."""

    text: str


@dataclass(frozen=True, slots=True)
class Rows:
    """One COPY block: a table and its rows in COPY's text format."""

    schema: str | None
    table: str
    columns: tuple[str, ...]
    data: bytes


def parse_dump(lines: Iterable[str]) -> Iterator[Script | Rows]:
    """Cut a plain-text dump (as pg_dump writes it) into scripts and blocks of rows, in order.

    Raises `DumpError` when a block of rows does not end.
    """
    script: list[str] = []
    lines = iter(lines)
    for line in lines:
        header = _COPY.fullmatch(line.rstrip())
        if header is None:
            script.append(line)
            continue
        if text := "".join(script).strip():
            yield Script(text)
        script = []
        *schema, table = _names(header["table"])
        columns = tuple(_names(header["columns"]))
        yield Rows(schema[0] if schema else None, table, columns, _block(table, lines))
    if text := "".join(script).strip():
        yield Script(text)


def _names(text: str) -> list[str]:
    return [found["bare"] or found["quoted"].replace('""', '"') for found in _NAME.finditer(text)]


def _block(table: str, lines: Iterator[str]) -> bytes:
    rows: list[str] = []
    for line in lines:
        if line.rstrip("\r\n") == r"\.":
            return "".join(rows).encode()
        rows.append(line)
    raise DumpError(f"the rows of table {table} have no end; the dump is cut off")
