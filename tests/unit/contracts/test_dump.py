# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cutting a dump into scripts and rows."""

from __future__ import annotations

import pytest

from contracts.dump import DumpError, Rows, Script, parse_dump

DATA = r"""
SET session_replication_role = replica;

COPY public."odd ""name" ("id", "te,xt") FROM stdin;
1	a\tb\\c
2	\N
3	COPY public."x" ("id") FROM stdin;
\.

SELECT pg_catalog.setval('public.ids', 41, true);
"""


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def test_a_dump_is_cut_into_scripts_and_rows_in_order() -> None:
    before, rows, after = parse_dump(lines(DATA))
    assert before == Script("SET session_replication_role = replica;")
    assert isinstance(rows, Rows)
    assert (rows.schema, rows.table, rows.columns) == ("public", 'odd "name', ("id", "te,xt"))
    assert rows.data.count(b"\n") == 3
    assert isinstance(after, Script)
    assert after.text.startswith("SELECT pg_catalog.setval")


def test_unquoted_names_are_understood_too() -> None:
    (rows,) = parse_dump(lines("COPY users (id, name) FROM stdin;\n1\tx\n\\.\n"))
    assert rows == Rows(None, "users", ("id", "name"), b"1\tx\n")


def test_a_cut_off_dump_is_refused() -> None:
    with pytest.raises(DumpError, match="table users have no end"):
        list(parse_dump(lines("COPY users (id) FROM stdin;\n1\n")))
