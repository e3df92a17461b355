# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan contracts replay` against the recorded legacy, whole and spoilt, and against what is no server."""

from __future__ import annotations

import json
import lzma
import socket
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from banyan.cli import app
from contracts.corpus import OWN_COPY, Corpus
from contracts.playback import Fault, Faults
from tests.integration.contracts.playing import played


def replayed(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["contracts", "replay", *arguments])


def changed_copy(folder: Path, change: Any) -> Path:
    """A copy of the reads, each line through `change(case)`."""
    with lzma.open(OWN_COPY / "reads.jsonl.xz") as recorded:
        lines = [json.loads(line) for line in recorded]
    for case in lines:
        change(case)
    folder.joinpath("reads.jsonl").write_text("".join(json.dumps(case) + "\n" for case in lines))
    for name in ("sessions.json", "world.json", "env.json"):
        folder.joinpath(name).write_bytes((OWN_COPY / name).read_bytes())
    return folder


def test_the_whole_corpus_is_equal() -> None:
    with played() as url:
        result = replayed("--url", url, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert report["outcomes"]["match"] == sum(1 for _ in Corpus.open().reads())
    assert set(report["outcomes"].values()) == {0, report["outcomes"]["match"]}


def test_changed_values_are_found_with_their_pointers(tmp_path: Path) -> None:
    wanted: dict[str, str] = {}

    def change(case: dict[str, Any]) -> None:
        body = case["response"]["body"]
        first = (body.get("groups") or [{}])[0] if isinstance(body, dict) else {}
        if case["endpoint"] == "groups#show" and "name" in first and len(wanted) < 3:
            name = ("name", "key", "memberships_count")[len(wanted)]
            first[name] = "changed" if isinstance(first[name], str) else first[name] + 1
            wanted[f"/body/groups/0/{name}"] = case["id"]

    folder = changed_copy(tmp_path, change)
    with played() as url:
        result = replayed(str(folder), "--url", url, "--endpoint", "groups#*", "--json")
    assert result.exit_code == 1, result.output
    found = {
        sample["pointer"]: sample["request_id"]
        for route in json.loads(result.stdout)["routes"]
        for finding in route["findings"]
        for sample in finding["samples"]
    }
    assert len(wanted) == 3
    assert found == wanted


def test_only_what_is_asked_for_is_asked() -> None:
    with played() as url:
        result = replayed("--url", url, "--endpoint", "polls#*", "--limit", "7", "--json")
    assert sum(json.loads(result.stdout)["outcomes"].values()) == 7


def test_a_server_that_fails_is_a_finding() -> None:
    with played(Faults(random=Random(1), rates={Fault.ERROR: 1.0})) as url:
        result = replayed("--url", url, "--endpoint", "polls#*", "--limit", "5", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["outcomes"]["error_one_side"] > 0


def test_a_server_that_hangs_compares_nothing() -> None:
    with played(Faults(random=Random(1), rates={Fault.HANG: 1.0})) as url:
        result = replayed("--url", url, "--limit", "3", "--timeout", "0.2")
    assert result.exit_code in (2, 3)
    assert "Traceback" not in result.output


def test_a_server_that_goes_away_leaves_a_partial_report() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def answer_once() -> None:
        connection, _ = listener.accept()
        listener.close()
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        connection.close()

    thread = threading.Thread(target=answer_once)
    thread.start()
    result = replayed("--url", f"http://127.0.0.1:{port}", "--limit", "60", "--concurrency", "1", "--json")
    thread.join()
    assert result.exit_code == 1
    assert "stopped early" in result.stderr
    assert json.loads(result.stdout)["not_comparable"]["cancelled"] > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--url", "http://127.0.0.1:1"), "no connection"),
        (("--url", "ftp://x"), "no address of a server"),
        (("--url", "http://x/path"), "only scheme, host and port"),
        (("/nowhere", "--url", "http://127.0.0.1:1"), "no reads.jsonl"),
        (("--url", "http://127.0.0.1:1", "--endpoint", "nothing#*"), "no recorded read fits"),
        (("--url", "http://127.0.0.1:1", "--format", "odd"), "--format"),
    ],
)
def test_wrong_use_is_explained(arguments: tuple[str, ...], says: str) -> None:
    result = replayed(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output
