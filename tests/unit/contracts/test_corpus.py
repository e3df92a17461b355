# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading a corpus folder."""

from __future__ import annotations

import gzip
import json
import lzma
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.corpus import Corpus, CorpusError
from tests.unit.contracts.corpora import STORED, STORED_DIGEST, ZOE, exchange, read_case, write_corpus


def test_reads_every_file_plain_or_compressed(tmp_path: Path) -> None:
    write_corpus(
        tmp_path,
        [read_case("/a", {"x": 1}), read_case("/b", None, actor="zoe")],
        [exchange("GET /a HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n")],
        journeys=[
            {"journey": "j", "actor": "zoe", "step": "s", "at_ms": 3, "method": "GET", "path": "/a"}
            | {"headers": {}, "body": None, "status": 200, "ms": 5, "bytes": 7}
        ],
    )
    (tmp_path / "schema.sql").write_text("create table ä ();\n")
    (tmp_path / "data.sql.gz").write_bytes(gzip.compress(b"COPY a FROM stdin;\n1\n\\.\n"))
    corpus = Corpus.open(tmp_path)
    reads = list(corpus.reads())
    assert [case.request.path for case in reads] == ["/a", "/b"]
    assert reads[0].response.parsed_body() == {"x": 1}
    assert corpus.recorded_at == datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert next(corpus.wire()).form == "plain"
    assert next(corpus.journeys()).at_ms == 3
    assert corpus.world.actors["zoe"].id == ZOE
    assert corpus.sessions["anonymous"] == {}
    assert "SECRET_KEY_BASE" in corpus.env
    assert corpus.stored_by_digest == {STORED_DIGEST: STORED}
    assert list(corpus.stored_files()) == [("abcdfile", STORED)]
    with corpus.schema_sql() as schema, corpus.data_sql() as data:
        assert schema.read() == "create table ä ();\n"
        assert list(data) == ["COPY a FROM stdin;\n", "1\n", "\\.\n"]


def test_files_that_a_corpus_may_lack(tmp_path: Path) -> None:
    write_corpus(tmp_path, [read_case("/a", 1)])
    (tmp_path / "storage.tar.gz").unlink()
    corpus = Corpus.open(tmp_path)
    assert not any((*corpus.wire(), *corpus.journeys(), *corpus.stored_files()))


def test_cookies_and_plain_headers_are_told_apart(tmp_path: Path) -> None:
    cookie = {
        "name": "a",
        "path": "/",
        "httponly": True,
        "secure": False,
        "samesite": "lax",
        "expires": False,
    }
    write_corpus(tmp_path, [read_case("/a", 1, answer_headers={"location": "/b", "set-cookie": [cookie]})])
    response = next(Corpus.open(tmp_path).reads()).response
    assert response.plain_headers == {"location": "/b"}
    assert [(one.name, one.httponly, one.samesite, one.deleted) for one in response.cookies] == [
        ("a", True, "lax", False)
    ]


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no reads\.jsonl there") as caught:
        Corpus.open(tmp_path)
    assert caught.value.code == "corpus-missing"
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("line", ["{", '{"id": "x"}', '{"id": 5}', "\xff"])
def test_a_broken_line_is_named_by_file_and_number(tmp_path: Path, line: str) -> None:
    write_corpus(tmp_path, [])
    lines = json.dumps(read_case("/a", 1)).encode() + b"\n" + line.encode("latin-1") + b"\n"
    (tmp_path / "reads.jsonl.xz").write_bytes(lzma.compress(lines))
    with pytest.raises(CorpusError, match=r"reads\.jsonl\.xz:2: ") as caught:
        list(Corpus.open(tmp_path).reads())
    assert caught.value.code == "corpus-broken"


def test_blank_lines_are_no_cases(tmp_path: Path) -> None:
    write_corpus(tmp_path, [read_case("/a", 1)])
    packed = tmp_path / "reads.jsonl.xz"
    packed.write_bytes(lzma.compress(lzma.decompress(packed.read_bytes()) + b"\n \n"))
    assert [case.request.path for case in Corpus.open(tmp_path).reads()] == ["/a"]


def test_a_truncated_file_is_told(tmp_path: Path) -> None:
    write_corpus(tmp_path, [read_case("/a", 1)])
    path = tmp_path / "reads.jsonl.xz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorpusError, match="unreadable"):
        list(Corpus.open(tmp_path).reads())


def test_a_broken_document_or_archive_is_told(tmp_path: Path) -> None:
    write_corpus(tmp_path, [read_case("/a", 1)])
    (tmp_path / "world.json").write_text('{"actors": {"zoe": {"id": "one"}}}')
    (tmp_path / "storage.tar.gz").write_bytes(gzip.compress(b"not an archive" * 100))
    with pytest.raises(CorpusError, match=r"world\.json"):
        _ = Corpus.open(tmp_path).world
    with pytest.raises(CorpusError, match="not a readable archive"):
        _ = Corpus.open(tmp_path).stored_by_digest


def test_a_corpus_without_cases_has_no_date(tmp_path: Path) -> None:
    write_corpus(tmp_path, [])
    with pytest.raises(CorpusError, match="no case in it"):
        _ = Corpus.open(tmp_path).recorded_at


def test_every_recorded_write_is_read(corpus: Corpus) -> None:
    writes = list(corpus.writes())
    assert len({case.id for case in writes}) == len(writes)
    assert all(case.steps and case.endpoint for case in writes)
    assert {case.is_job for case in writes} == {True, False}
    assert any(step.request.files for case in writes for step in case.steps)
