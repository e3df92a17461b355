# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan contracts record` from the recorded legacy: what it writes replays equal and tells no secret."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from typer.testing import CliRunner, Result

from banyan.cli import app
from contracts.corpus import OWN_COPY, Corpus
from contracts.record import from_access_log, from_har, from_list
from tests.integration.contracts.playing import played


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["contracts", *arguments])


def prepared(folder: Path) -> tuple[list[str], Corpus]:
    """The options for recording what one person asked."""
    corpus = Corpus.open()
    asked = Counter(case.actor for case in corpus.reads() if case.actor in corpus.sessions)
    actor = asked.most_common(1)[0][0]
    cases = [
        case
        for case in corpus.reads()
        if case.actor == actor and not case.request.headers and "key=" not in case.request.path
    ]
    requests = "\n".join(f"GET {case.request.path}" for case in cases[::25])
    (folder / "requests").write_text(f"{requests}\nDELETE /api/v1/sessions\nGET /not/routed\n")
    cookies = "; ".join(f"{name}={value}" for name, value in corpus.sessions[actor].items())
    (folder / "cookies").write_text(cookies)
    options = ["--requests", str(folder / "requests"), "--cookie-file", f"{actor}={folder / 'cookies'}"]
    return [*options, "--output", str(folder / "made"), "--rate", "1000", "--runs", "2"], corpus


def test_what_is_recorded_replays_equal_and_is_taken_up(tmp_path: Path) -> None:
    options, corpus = prepared(tmp_path)
    with played() as url:
        first = run("record", "--url", url, *options, "--json")
        assert first.exit_code == 0, first.output
        done = json.loads(first.stdout)
        assert done["written"] > 5
        assert "DELETE" in first.stderr
        written = (tmp_path / "made" / "reads.jsonl").read_bytes()
        # A run that was killed in the middle of a line goes on.
        (tmp_path / "made" / "reads.jsonl").write_bytes(written[:-20])
        again = json.loads(run("record", "--url", url, *options, "--json").stdout)
        assert (again["written"], again["known"]) == (1, done["written"] - 1)
        (tmp_path / "made" / "sessions.json").write_bytes((OWN_COPY / "sessions.json").read_bytes())
        replayed = run("replay", str(tmp_path / "made"), "--url", url)
    assert replayed.exit_code == 0, replayed.output
    content = (tmp_path / "made" / "reads.jsonl").read_text()
    secrets = [value for cookies in corpus.sessions.values() for value in cookies.values() if len(value) > 8]
    assert not any(secret in content for secret in secrets)


def test_a_dry_run_asks_nothing(tmp_path: Path) -> None:
    options, _ = prepared(tmp_path)
    result = run("record", "--url", "http://127.0.0.1:1", *options, "--dry-run")
    assert result.exit_code == 0
    assert not (tmp_path / "made").exists()
    assert "#" in result.stdout


def test_nobody_there_is_explained(tmp_path: Path) -> None:
    options, _ = prepared(tmp_path)
    result = run("record", "--url", "http://127.0.0.1:1", *options)
    assert result.exit_code == 2
    assert "goes on from here" in result.stderr


def test_tokens_are_never_asked(tmp_path: Path) -> None:
    (tmp_path / "requests").write_text("GET /api/v1/reactions?comment_ids=1&stance_token=s3cret\n")
    result = run(
        "record",
        "--url",
        "http://127.0.0.1:1",
        "--requests",
        str(tmp_path / "requests"),
        "--output",
        str(tmp_path / "made"),
    )
    assert result.exit_code == 1
    assert "carries stance_token" in result.stderr
    assert "s3cret" not in result.output


def test_requests_are_found_in_logs_and_exports() -> None:
    log = '1.2.3.4 - - [x] "GET /a?b=1 HTTP/1.1" 200 5\n{"method": "GET", "target": "/c"}\nnothing\n'
    assert [one.target for one in from_access_log(log)] == ["/a?b=1", "/c"]
    har = {"log": {"entries": [{"request": {"method": "GET", "url": "https://x/d?e=1", "headers": []}}]}}
    assert [one.target for one in from_har(json.dumps(har))] == ["/d?e=1"]
    assert [one.method for one in from_list("# no\n/a\nPOST /b\n/a\n")] == ["GET", "POST"]
