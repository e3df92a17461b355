# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tables come out as they went in; what did not change is not unpacked again."""

from __future__ import annotations

import msgspec

from proxy.app.packing import Unpacker, pack
from proxy.routing.match import Matcher, build_tree
from proxy.routing.table import Share
from tests.unit.proxy.routing.tables import table_of

TEXT = 'groups: {g: {percent: 50, routes: ["GET /x/:id"]}}\n'


def test_a_table_comes_out_as_it_went_in() -> None:
    table = table_of(TEXT)
    there = Unpacker().table(pack(table))
    assert msgspec.structs.replace(there, matcher=table.matcher) == table
    assert there.match(b"GET", b"/x/1") == table.match(b"GET", b"/x/1") is not None
    assert there.routes[0].group is there.groups[0]


def test_an_unchanged_catalogue_goes_on_as_it_is() -> None:
    table, unpacker = table_of(TEXT), Unpacker()
    first = unpacker.table(pack(table))
    second = unpacker.table(pack(table.with_shares({"g": Share(10)})))
    assert second.matcher is first.matcher
    assert second.groups[0].percent == 10


def test_another_catalogue_is_taken() -> None:
    table, unpacker = table_of(TEXT), Unpacker()
    assert unpacker.table(pack(table)).match(b"GET", b"/x/1") is not None
    without = msgspec.structs.replace(table, matcher=Matcher(build_tree([])))
    assert unpacker.table(pack(without)).match(b"GET", b"/x/1") is None
