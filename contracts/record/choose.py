# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which requests may be asked of a live legacy, several times. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, urlsplit

import msgspec

from contracts.record.sources import Wanted
from proxy.config import notation
from proxy.config.written import CatalogueRow, Repeat
from proxy.routing.match import Matcher, build_tree


class Choice(msgspec.Struct, frozen=True):
    """What may be asked, with its endpoint's name and route, and what may not, with the reason."""

    asked: tuple[tuple[Wanted, str, str], ...]
    refused: tuple[tuple[Wanted, str], ...]


def choose(wanted: Iterable[Wanted], catalogue: Sequence[CatalogueRow]) -> Choice:
    """Safe GETs of routes in the catalogue that carry no token."""
    matcher = Matcher(
        build_tree(
            (row.methods, notation.parse(row.path, row.constraints, mount=row.mount)) for row in catalogue
        )
    )
    asked: list[tuple[Wanted, str, str]] = []
    refused: list[tuple[Wanted, str]] = []
    for one in wanted:
        place = matcher.find(one.method.encode(), urlsplit(one.target).path.encode("latin-1", "replace"))
        row = catalogue[place] if place >= 0 else None
        reason = _against(one, row)
        if row is None or reason:
            refused.append((one, reason))
        else:
            asked.append((one, row.name, row.path))
    return Choice(tuple(asked), tuple(refused))


def _against(wanted: Wanted, row: CatalogueRow | None) -> str:
    """Why a request is not asked; empty where it may be."""
    if wanted.method != "GET":
        return f"{wanted.method}: only GETs are recorded"
    if row is None:
        return "no route of the catalogue"
    if row.repeat is not Repeat.SAFE:
        return f"{row.name}: {row.why or 'not safe to repeat'}"
    names = [name for name, _ in parse_qsl(urlsplit(wanted.target).query, keep_blank_values=True)]
    token = next((name for name in names if name.endswith("token")), None)
    return f"carries {token}, which asking might redeem" if token else ""
