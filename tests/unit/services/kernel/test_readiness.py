# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `banyan migrate` has to make before requests can be answered."""

from __future__ import annotations

from services.kernel.readiness import MIGRATIONS, REMEDY, TABLES, Readiness, missing

ALL_TABLES = [table for tables in TABLES.values() for table in tables]


def test_with_all_tables_and_files_nothing_is_missing() -> None:
    assert missing(ALL_TABLES, MIGRATIONS.keys()) == ()


def test_files_of_a_newer_release_do_not_matter() -> None:
    assert missing([*ALL_TABLES, "newer"], [*MIGRATIONS, max(MIGRATIONS) + 1]) == ()


def test_each_part_needs_all_its_tables() -> None:
    for part, tables in TABLES.items():
        for table in tables:
            there = [one for one in ALL_TABLES if one != table]
            assert missing(there, MIGRATIONS.keys()) == (part,), table


def test_files_that_were_not_applied_are_named() -> None:
    newest = max(MIGRATIONS)
    assert missing(ALL_TABLES, MIGRATIONS.keys() - {newest}) == (MIGRATIONS[newest],)


def test_the_remedy_is_told_only_where_it_helps() -> None:
    lacking = Readiness(database=True, missing=("outbox",))
    assert (lacking.is_ready, lacking.told()["remedy"]) == (False, REMEDY)
    assert "remedy" not in Readiness(database=False).told()
    assert Readiness(database=True).told() == {"database": "ok", "migrations": "ok"}
