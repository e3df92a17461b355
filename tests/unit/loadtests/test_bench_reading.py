# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the benchmark reads: wrk's output, the kernel's files, Prometheus' text, WebSocket messages."""

from __future__ import annotations

import os
import time

import pytest

from loadtests.bench import processes, tunnel, wrk
from loadtests.bench.generator import LoadError
from loadtests.bench.subjects import counters, edge_problems

WRK = """Running 1s test @ http://127.0.0.1:8080/
  1 threads and 32 connections
Requests/sec:  19800.00

{"requests": 20000, "seconds": 1.01, "bytes": 60000000, "connect": 0, "read": 0, "write": 1, "status": 2, "timeout": 3}
"""


def test_wrk_tells_requests_and_all_errors() -> None:
    assert wrk.parse(WRK) == wrk.Outcome(20000, 1.01, 60_000_000, 6)


@pytest.mark.parametrize("output", ["", "unable to connect\n", '{"requests": 1}\n', "[]\n"])
def test_other_words_of_wrk_are_an_error(output: str) -> None:
    with pytest.raises(LoadError, match="wrk said"):
        wrk.parse(output)


@pytest.mark.parametrize(
    "outcome",
    [
        wrk.Outcome(1000, 1.0, 2_500_000, 1),
        wrk.Outcome(0, 1.0, 0, 0),
        wrk.Outcome(1000, 1.0, 1_999_000, 0),
        wrk.Outcome(1000, 1.0, 9_000_000, 0),
    ],
    ids=["errors", "nothing", "bodies too short", "bodies too long"],
)
def test_what_wrk_counted_must_fit_the_bodies(outcome: wrk.Outcome) -> None:
    with pytest.raises(LoadError):
        wrk.check(outcome, 2000, 32)


def test_right_counts_pass() -> None:
    wrk.check(wrk.Outcome(1000, 1.0, 2_900_000, 0), 2000, 32)


def test_the_parent_is_found_whatever_the_name_holds() -> None:
    assert processes.parent_of("17 (a ) b (c) S 4 17 17 0 -1") == 4


def test_cpu_time_is_that_of_the_process() -> None:
    before = processes.cpu_seconds([os.getpid()])
    started = time.process_time()
    while time.process_time() - started < 0.02:
        pass
    assert processes.cpu_seconds([os.getpid()]) - before >= 0.015
    assert processes.rss_bytes([os.getpid()]) > 1_000_000


def test_what_is_started_on_a_core_stays_there() -> None:
    before = os.sched_getaffinity(0)
    with processes.on_core(processes.OTHER_CORE):
        assert os.sched_getaffinity(0) == {processes.OTHER_CORE}
    assert os.sched_getaffinity(0) == before


def test_counters_are_read_by_series() -> None:
    text = '# TYPE a counter\na{side="legacy",reason="share"} 3\nb 1.5\n'
    assert counters(text) == {'a{side="legacy",reason="share"}': 3.0, "b": 1.5}


def _decided(legacy: float, python: float, *, unreadable: float = 0.0) -> dict[str, float]:
    return {
        'banyan_edge_decisions_total{reason="share",side="legacy"}': legacy,
        'banyan_edge_decisions_total{reason="share",side="python"}': python,
        'banyan_edge_decisions_total{reason="no-group",side="legacy"}': 5000.0,
        "banyan_edge_unreadable_cookies_total": unreadable,
    }


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        ({}, "no decisions"),
        (_decided(5000, 5000, unreadable=1), "cookies"),
        (_decided(9000, 1000), "1000 of 10000 requests"),
    ],
)
def test_an_edge_that_did_less_is_found_out(counts: dict[str, float], problem: str) -> None:
    assert len(edge_problems(counts)) == 1
    assert problem in edge_problems(counts)[0]


@pytest.mark.parametrize("counts", [_decided(5100, 4900), _decided(0, 0), _decided(10, 0)])
def test_an_edge_that_did_its_part_has_no_problems(counts: dict[str, float]) -> None:
    assert edge_problems(counts) == []


def test_the_upgrade_is_answered_as_the_standard_says() -> None:
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in tunnel.switching(
        b"dGhlIHNhbXBsZSBub25jZQ=="
    )


def test_messages_are_echoed_whole_and_unmasked() -> None:
    start, mask = tunnel.FROM_CLIENT[:4], b"\x01\x02\x03\x04"
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(tunnel.PAYLOAD))
    received = tunnel.FROM_CLIENT + start + mask + masked + tunnel.FROM_CLIENT[:7]
    assert tunnel.echoed(received) == (tunnel.FROM_SERVER * 2, tunnel.FROM_CLIENT[:7])


def test_a_changed_message_is_no_message() -> None:
    changed = tunnel.FROM_CLIENT[:-1] + b"!"
    with pytest.raises(ValueError, match="not a message"):
        tunnel.echoed(changed)
