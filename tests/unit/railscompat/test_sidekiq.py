# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sidekiq's payloads and the commands that send them."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railscompat.errors import JobError
from railscompat.sidekiq import (
    Job,
    encode,
    new_jid,
    new_job,
    parse,
    push_commands,
    queue_key,
    schedule_commands,
)

NOW = datetime(2031, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
JID = "b4a577edbccf1d805744efa9"

json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=9),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


def a_job(**changes: Any) -> Job:
    fields: dict[str, Any] = {"jid": JID, "now": NOW, "queue": "low"} | changes
    return new_job("GenericWorker", ["PollService", "do_closing_soon", 7], **fields)


def test_pushing_names_the_queue_and_prepends_the_payload() -> None:
    commands = push_commands(a_job(), now=NOW + timedelta(seconds=1))
    assert commands == (
        ("SADD", "queues", "low"),
        (
            "LPUSH",
            "queue:low",
            (
                '{"retry":true,"queue":"low","backtrace":true,"class":"GenericWorker",'
                '"args":["PollService","do_closing_soon",7],"jid":"b4a577edbccf1d805744efa9",'
                '"created_at":1935403200.25,"enqueued_at":1935403201.25}'
            ),
        ),
    )
    assert queue_key("low") == "queue:low"


def test_a_later_job_waits_without_the_moment_it_was_enqueued() -> None:
    ((command, key, score, payload),) = schedule_commands(a_job(), at=NOW + timedelta(weeks=2))
    assert (command, key) == ("ZADD", "schedule")
    assert float(score) == (NOW + timedelta(weeks=2)).timestamp()
    assert "enqueued_at" not in json.loads(payload)
    assert "at" not in json.loads(payload)
    assert parse(payload) == a_job()


def test_text_is_sent_as_it_is() -> None:
    payload = encode(new_job("GenericWorker", ["Šárka <b>"], jid=JID, now=NOW))
    assert "Šárka <b>" in payload


@given(
    st.lists(json_values, max_size=4),
    st.sampled_from(["default", "mailers"]),
    st.sampled_from([True, False, 3]),
)
def test_jobs_come_back(args: list[Any], queue: str, retry: bool | int) -> None:
    job = new_job("GenericWorker", args, jid=JID, now=NOW, queue=queue, retry=retry, more={"tags": ["x"]})
    payload = push_commands(job, now=NOW)[1][2]
    again = parse(payload.encode())
    assert (again.args, again.queue, again.retry, again.more) == (args, queue, retry, {"tags": ["x"]})
    assert encode(again) == payload


def test_what_a_failed_job_carries_is_kept() -> None:
    payload = (
        '{"retry":true,"queue":"default","backtrace":true,"class":"W","args":[],"jid":"1","created_at":1.5,'
        '"enqueued_at":2.5,"error_message":"boom","retry_count":2}'
    )
    job = parse(payload)
    assert job.more == {"error_message": "boom", "retry_count": 2}
    assert json.loads(encode(job)) == json.loads(payload)


def test_a_sparse_payload_gets_the_defaults() -> None:
    job = parse('{"class":"W","args":[1],"jid":"1"}')
    assert (job.queue, job.retry, job.backtrace, job.enqueued_at) == ("default", True, False, None)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        "null",
        "[]",
        "{}",
        '{"class":"W","args":{},"jid":"1"}',
        '{"class":1,"args":[],"jid":"1"}',
        '{"class":"W","args":[],"jid":1}',
        '{"class":"W","args":[],"jid":"1","queue":7}',
        '{"class":"W","args":[],"jid":"1","created_at":"now"}',
        "[" * 100_000,
    ],
)
def test_refuses_other_payloads(payload: bytes | str) -> None:
    with pytest.raises(JobError):
        parse(payload)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60)))
def test_any_payload_is_a_job_or_an_error(payload: bytes | str) -> None:
    with pytest.raises(JobError):
        parse(payload)


@pytest.mark.parametrize("argument", [math.nan, math.inf, object(), "\ud800"])
def test_refuses_arguments_that_json_cannot_hold(argument: Any) -> None:
    with pytest.raises(JobError):
        encode(new_job("W", [argument], jid=JID, now=NOW))


def test_an_id_is_twelve_bytes_in_hex() -> None:
    assert new_jid(bytes(range(12))) == "000102030405060708090a0b"
    with pytest.raises(ValueError, match="12"):
        new_jid(b"")


def test_moments_need_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        new_job("W", [], jid=JID, now=datetime(2031, 5, 1))  # noqa: DTZ001 - the mistake under test
