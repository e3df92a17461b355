# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every statement fits the recorded schema and the Python types it is bound to, and has a user; what does not fit
is found, with file and line."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import asyncpg

from services.kernel import columns, sqlcheck

ROOT = Path(__file__).parents[3]


async def test_all_statements_fit(sample_url: str) -> None:
    connection = await asyncpg.connect(sample_url, statement_cache_size=0)
    await columns.teach(connection)
    report = await sqlcheck.check(connection, sqlcheck.load_all())
    await connection.close()
    assert report.findings == []
    assert report.statements == sum(
        text.count("\n-- name:") + text.startswith("-- name:")
        for file in (ROOT / "services").rglob("queries.sql")
        if (text := file.read_text("utf-8"))
    )


class Fault(NamedTuple):
    """A text put in another's place, and what is then told of the line that holds `line`."""

    file: str
    good: str
    bad: str
    code: str
    line: str


FAULTS = (
    Fault(
        "reactions/queries.sql", "reactable_id, reac", "reactable_id, sort, reac", "unknown-column", "sort, "
    ),
    Fault("comments/queries.sql", "FROM comments", "FROM remarks", "unknown-table", "remarks"),
    Fault("groups/queries.sql", "lower(", "lowest(", "unknown-function", "lowest("),
    Fault("groups/queries.sql", ":handle::citext", ":handle::citexts", "unknown-type", "citexts"),
    Fault("discussions/queries.sql", "discussions WHERE key", "discussions WHEN key", "syntax", "WHEN key"),
    Fault("versions/model.py", "item_type: str", "item_type: int", "column-type", "version_from_oldest"),
    Fault(
        "versions/model.py", "whodunnit: int | None", "whodunnit: int", "column-null", "version_from_newest"
    ),
    Fault(
        "polls/queries.sql", "id, poll_id FROM outcomes", "id FROM outcomes", "missing-column", "polls_of_out"
    ),
    Fault(
        "polls/queries.sql",
        "id, poll_id FROM st",
        "id, poll_id, reason FROM st",
        "surplus-column",
        "polls_of_st",
    ),
    Fault(
        "users/queries.sql",
        "-- name: auth",
        "-- name: none\nSELECT 1 AS one\n\n-- name: auth",
        "unused",
        ": none",
    ),
)


async def test_planted_faults_are_found_where_they_are(tmp_path: Path, sample_url: str) -> None:
    """In a copy of the tree: wrong columns, tables, functions and types, nulls, and statements without a user."""
    for package in ("banyan", "services", "railscompat", "proxy", "contracts"):
        ignored = shutil.ignore_patterns("__pycache__", "recordings", "*.so", "*.c")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    for fault in FAULTS:
        file = tmp_path / "services" / fault.file
        text = file.read_text("utf-8")
        assert fault.good in text, fault.good
        file.write_text(text.replace(fault.good, fault.bad, 1), "utf-8")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "banyan.cli", "sql", "check", "--json", "--url", sample_url],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    found = {
        (Path(one["file"]), one["line"], one["code"]): one for one in json.loads(done.stdout)["findings"]
    }
    for fault in FAULTS:
        file = (tmp_path / "services" / fault.file).with_name("queries.sql")
        lines = file.read_text("utf-8").splitlines()
        line = next(number for number, text in enumerate(lines, 1) if fault.line in text)
        finding = found.get((file, line, fault.code))
        assert finding is not None, (file, line, fault.code, sorted(found))
        assert finding["message"]
        assert finding["remedy"]


def test_a_database_that_is_away_and_a_schema_that_is_none_are_told() -> None:
    for option in (("--url", "postgresql://nobody@127.0.0.1:1/x"), ("--schema", "/nowhere.sql")):
        done = subprocess.run(
            [sys.executable, "-m", "banyan.cli", "sql", "check", *option],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr.startswith("banyan: ")) == (2, True), done.stderr
