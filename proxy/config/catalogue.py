# SPDX-License-Identifier: AGPL-3.0-or-later
"""The catalogue: every route of the application, in Rails' order, one row per line.

    version: 1
    routes:
    - {method: GET, path: /api/v1/tags/:id(.:format), name: tags#show}
    - {method: GET, path: /export, name: web/export, dry: caches what it computed}
    - {method: POST, path: /api/v1/tags, name: tags#create, unsafe: writes rows, body_token: true}

A row without `dry` or `unsafe` may be repeated freely. Rails' own listing becomes such a file by `rails_listing`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxy.config import notation
from proxy.config.errors import Code, Findings
from proxy.config.hidden import note_unreachable
from proxy.config.kinds import Flag, ListOf, NamedOf, Text, Walk, Whole
from proxy.config.nodes import START, Scalar, read_nodes
from proxy.config.record import Record, key
from proxy.config.written import CatalogueRow, Repeat

SCHEMA_LINE = "# yaml-language-server: $schema=schemas/routes.schema.json"
"""Tells editors how to check the file."""

METHODS = r"[A-Z]{1,20}(?:\|[A-Z]{1,20})*"


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """One route."""

    method: str = key(Text("a method, several (GET|POST), or ANY", METHODS), "GET, GET|POST, or ANY.")
    path: str = key(Text("a path in Rails notation"), "The path, in Rails notation.")
    name: str = key(
        Text("a name such as tags#index", r"[A-Za-z0-9_][A-Za-z0-9_/#.:?!-]{0,119}"),
        "Stable name; several rows may share one.",
    )
    dry: str | None = key(
        Text("what it may write"),
        "A read that may write: only the new side may be asked again.",
        default=None,
    )
    unsafe: str | None = key(Text("why not"), "May not run twice, and why.", default=None)
    body_token: bool = key(Flag(), "The body may carry a token or key: moves only whole.", default=False)
    mount: bool = key(Flag(), "An engine: everything below the path too.", default=False)
    constraints: Mapping[str, str] | None = key(
        NamedOf(Text("a regular expression"), "a constraint", name=r"\w+"),
        "Regular expressions that replace what :name matches.",
        default=None,
    )

    def row(self) -> CatalogueRow:
        """The route it means."""
        methods = () if self.method == "ANY" else tuple(dict.fromkeys(self.method.split("|")))
        repeat = Repeat.UNSAFE if self.unsafe else Repeat.DRY if self.dry else Repeat.SAFE
        return CatalogueRow(
            methods,
            self.path,
            self.name,
            repeat,
            self.unsafe or self.dry or "",
            self.body_token,
            self.mount,
            dict(self.constraints or {}),
        )


@dataclass(frozen=True, slots=True)
class WrittenCatalogue:
    """`routes.yaml`, key by key."""

    version: int = key(Whole(1, 1), "Version of this format.")
    routes: tuple[WrittenRow, ...] = key(
        ListOf(Record(WrittenRow, "a route"), least=1), "The routes, in Rails' order."
    )


CATALOGUE = Record(WrittenCatalogue, "the catalogue")


def read_catalogue(data: bytes, findings: Findings) -> tuple[CatalogueRow, ...]:
    """The rows of a catalogue; those with findings are left out."""
    node = read_nodes(data, findings)
    if node is None:
        return ()
    walk = Walk(findings, {})
    catalogue = CATALOGUE.read(node, (), walk)
    if not isinstance(catalogue, WrittenCatalogue):
        return ()
    rows: list[CatalogueRow] = []
    places: list[tuple[str | int, ...]] = []
    for number, written in enumerate(catalogue.routes):
        place = walk.place(("routes", number))
        row = written.row()
        try:
            notation.parse(row.path, row.constraints, mount=row.mount)
        except notation.NotationError as error:
            findings.add(Code.BAD_PATH, place, str(error), "Write the path as `rails routes` prints it.")
            continue
        rows.append(row)
        places.append(("routes", number))
    note_unreachable(rows, places, walk)

    return tuple(rows)


WIDEST = (17, 66, 50)
"""Up to which width the columns method, path and name are aligned; a longer entry pushes its row's rest aside."""


def write_catalogue(rows: Sequence[CatalogueRow], comment: Sequence[str] = ()) -> str:
    """A catalogue file: `comment` at its top, one row per line, columns aligned."""
    lines = [SCHEMA_LINE, *(f"# {line}".rstrip() for line in comment), "version: 1", "routes:"]
    columns = (_method_column, _path_column, _name_column)
    widths = [
        max((width for row in rows if (width := len(column(row))) <= most), default=0)
        for column, most in zip(columns, WIDEST, strict=True)
    ]
    for row in rows:
        cells = [column(row).ljust(width) for column, width in zip(columns, widths, strict=True)]
        marks = ", ".join(_marks(row))
        text = f"{' '.join(cells)} {marks}" if marks else " ".join(cells).rstrip().removesuffix(",")
        lines.append(f"- {{{text}}}")
    return "\n".join(lines) + "\n"


def _method_column(row: CatalogueRow) -> str:
    return f"method: {row.method},"


def _path_column(row: CatalogueRow) -> str:
    return f"path: {scalar(row.path)},"


def _name_column(row: CatalogueRow) -> str:
    return f"name: {scalar(row.name)},"


def _marks(row: CatalogueRow) -> list[str]:
    marks = []
    if row.mount:
        marks.append("mount: true")
    if row.constraints:
        pairs = ", ".join(f"{name}: {scalar(regex)}" for name, regex in row.constraints.items())
        marks.append(f"constraints: {{{pairs}}}")
    if row.repeat is not Repeat.SAFE:
        marks.append(f"{row.repeat}: {scalar(row.why)}")
    if row.body_token:
        marks.append("body_token: true")
    return marks


def scalar(text: str) -> str:
    """A YAML scalar for `text` inside `{…}`: plain where that is safe, else in double quotes."""
    plain = re.fullmatch(r"[A-Za-z/][^\x00-\x1f\x7f\[\]{},\"']*", text) and not re.search(
        r":[ ?]| #|:\Z| \Z", text
    )
    if plain and Scalar(START, text, True).value() == text:
        return text
    return json.dumps(text, ensure_ascii=False)
