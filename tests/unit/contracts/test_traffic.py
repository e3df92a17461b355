# SPDX-License-Identifier: AGPL-3.0-or-later
"""Recorded requests as somebody would send them, and the pace at which people do."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from contracts.corpus import Corpus
from contracts.traffic import Mix, endpoint_weights, lacks_its_file, pauses, recorded_requests
from tests.unit.contracts.corpora import STORED_DIGEST, ZOE, read_case, session_of, write_corpus


def step(path: str, at_ms: int, name: str = "s", method: str = "GET") -> dict[str, Any]:
    return {
        "journey": "j",
        "actor": "zoe",
        "step": name,
        "at_ms": at_ms,
        "method": method,
        "path": path,
        "headers": {},
        "body": None,
        "status": 200,
        "ms": 1,
        "bytes": 1,
    }


READS = [
    read_case("/things/new", 1, endpoint="things#new", actor="zoe"),
    read_case("/things/5", 1, endpoint="things#show", route="/things/:id", actor="zoe"),
    read_case("/things/6", 1, endpoint="things#show", route="/things/:id", actor="zoe"),
    read_case("/things/7", 1, endpoint="things#show", route="/things/:id"),
    read_case(
        "/d/k", 1, endpoint="web/d#show", route="/d/:key(/:slug)(/:number)", headers={"Accept": "text/html"}
    ),
    read_case("/files/a/b", 1, endpoint="files#proxy", route="/files/*"),
    read_case("/rare", 1, endpoint="rare#index", actor="zoe"),
]
JOURNEYS = [
    step("/things/new", 10),
    step("/things/8?x=1", 250),
    step("/things/9", 240),
    step("/things/9", 250, method="PATCH"),
    step("/d/k/title/3", 5, name="t"),
    step("/files/a/b/c", 1005, name="t"),
    step("/unknown", 1, name="u"),
]


def corpus(folder: Path) -> Corpus:
    return Corpus.open(write_corpus(folder, READS, journeys=JOURNEYS))


def test_requests_are_ready_to_be_sent(tmp_path: Path) -> None:
    requests = list(recorded_requests(corpus(tmp_path)))
    assert [request.target for request in requests] == [read["request"]["path"] for read in READS]
    assert (
        requests[0].head("h:1", ("X", "y"))
        == (
            f"GET /things/new HTTP/1.1\r\nHost: h:1\r\nAccept: application/json\r\n"
            f"Cookie: _loomio={session_of(ZOE, 1)}; signed_in=1\r\nX: y\r\n\r\n"
        ).encode()
    )
    assert (requests[3].actor, requests[3].method) == ("anonymous", "GET")
    assert requests[4].headers == (("Accept", "text/html"),)


def test_endpoints_weigh_what_journeys_asked(tmp_path: Path) -> None:
    recordings = corpus(tmp_path)
    assert endpoint_weights(list(recordings.reads()), list(recordings.journeys())) == {
        "things#new": 1,
        "things#show": 2,
        "web/d#show": 1,
        "files#proxy": 1,
        "rare#index": 1,
    }


def test_pauses_are_those_within_a_step(tmp_path: Path) -> None:
    assert pauses(corpus(tmp_path).journeys()) == [0.23, 0.01, 0.0, 1.0]


def test_a_person_asks_by_weight_only_for_what_was_recorded_of_them(tmp_path: Path) -> None:
    recordings = corpus(tmp_path)
    mix = Mix(recorded_requests(recordings), list(recordings.journeys()))
    assert mix.actors == ["zoe", "anonymous"]
    visits = list(islice(mix.visits("zoe", Random(3)), 4_000))
    counts = Counter(visit.request.target for visit in visits)
    assert set(counts) == {"/things/new", "/things/5", "/things/6", "/rare"}
    assert all(850 < count < 1_150 for count in counts.values())
    assert {visit.pause for visit in visits} == {0.23, 0.01, 0.0, 1.0}
    assert visits[:50] == list(islice(mix.visits("zoe", Random(3)), 50))


def test_without_journeys_every_endpoint_is_asked_without_pause(tmp_path: Path) -> None:
    recordings = Corpus.open(write_corpus(tmp_path, READS))
    mix = Mix(recorded_requests(recordings), [])
    assert set(mix.weights.values()) == {1}
    assert {visit.pause for visit in islice(mix.visits("anonymous", Random(1)), 20)} == {0.0}


def test_files_that_a_corpus_does_not_hold_cannot_be_asked_for(tmp_path: Path) -> None:
    file = {"$binary": {"sha256": STORED_DIGEST, "length": 1}}
    reads = [read_case("/file", file), read_case("/json", [file]), read_case("/empty", None)]
    folder = write_corpus(tmp_path, reads)

    def lacking() -> list[str]:
        corpus = Corpus.open(folder)
        return [case.request.path for case in corpus.reads() if lacks_its_file(case, corpus.stored_by_digest)]

    assert lacking() == []
    (folder / "storage.tar.gz").unlink()
    assert lacking() == ["/file"]
