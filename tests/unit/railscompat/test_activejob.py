# SPDX-License-Identifier: AGPL-3.0-or-later
"""Jobs of Rails' own, inside Sidekiq's."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railscompat.activejob import ActiveJob, GlobalId, Keywords, Serialized, unwrap, wrap
from railscompat.errors import JobError
from railscompat.marshal import Symbol
from railscompat.sidekiq import encode, new_job, parse

NOW = datetime(2031, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
JID = "b4a577edbccf1d805744efa9"
UUID = "0a9cbb65-0f3b-4a56-8ad1-2ba5d4d1b0c5"

names = st.text("abcdé", min_size=1, max_size=4)
arguments: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=9),
        names.map(Symbol),
        st.builds(GlobalId, st.just("gid://loomio/User/7")),
        st.builds(
            Serialized,
            st.just("ActiveJob::Serializers::DurationSerializer"),
            st.just({"value": 3, "parts": []}),
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(names, names.map(lambda name: Symbol(f"s{name}"))), inner, max_size=3),
        st.dictionaries(names, inner, max_size=3).map(Keywords),
    ),
    max_leaves=10,
)

# As the Rails adapter writes a mail that is to be sent later.
MAIL = {
    "retry": True,
    "queue": "mailers",
    "backtrace": True,
    "class": "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper",
    "wrapped": "ActionMailer::MailDeliveryJob",
    "args": [
        {
            "job_class": "ActionMailer::MailDeliveryJob",
            "job_id": UUID,
            "provider_job_id": None,
            "queue_name": "mailers",
            "priority": None,
            "arguments": [
                "EventMailer",
                "event",
                "deliver_now",
                {"args": [{"_aj_globalid": "gid://loomio/User/7"}, 12], "_aj_ruby2_keywords": ["args"]},
            ],
            "executions": 0,
            "exception_executions": {},
            "locale": "en",
            "timezone": "UTC",
            "enqueued_at": "2031-05-01T12:00:00.250000000Z",
            "scheduled_at": None,
        }
    ],
    "jid": JID,
    "created_at": 1935403200.25,
}


def test_reads_a_mail_of_rails() -> None:
    job = unwrap(parse(json.dumps(MAIL)))
    assert job is not None
    assert (job.job_class, job.job_id, job.queue) == ("ActionMailer::MailDeliveryJob", UUID, "mailers")
    assert job.arguments == [
        "EventMailer",
        "event",
        "deliver_now",
        Keywords({"args": [GlobalId("gid://loomio/User/7"), 12]}),
    ]


def test_writes_a_mail_as_rails_does() -> None:
    job = ActiveJob(
        job_class="ActionMailer::MailDeliveryJob",
        job_id=UUID,
        arguments=[
            "EventMailer",
            "event",
            "deliver_now",
            Keywords({"args": [GlobalId("gid://loomio/User/7"), 12]}),
        ],
        queue="mailers",
        timezone="UTC",
    )
    assert json.loads(encode(wrap(job, jid=JID, now=NOW))) == MAIL


def test_marks_of_arguments() -> None:
    job = ActiveJob(job_class="J", job_id=UUID, arguments=[Symbol("a"), {"s": 1, Symbol("k"): None}])
    (description,) = wrap(job, jid=JID, now=NOW).args
    assert isinstance(description, dict)
    assert description["arguments"] == [
        {"_aj_serialized": "ActiveJob::Serializers::SymbolSerializer", "value": "a"},
        {"s": 1, "k": None, "_aj_symbol_keys": ["k"]},
    ]


def test_a_hash_with_indifferent_access_is_a_dict_of_strings() -> None:
    fields: Any = {"a": 1, "_aj_hash_with_indifferent_access": True}
    description: Any = {"job_class": "J", "job_id": UUID, "arguments": [fields]}
    job = unwrap(new_job("Sidekiq::ActiveJob::Wrapper", [description], jid=JID, now=NOW))
    assert job is not None
    assert job.arguments == [{"a": 1}]


@given(st.lists(arguments, max_size=3))
def test_jobs_come_back(given_arguments: list[Any]) -> None:
    job = ActiveJob(job_class="J", job_id=UUID, arguments=given_arguments, locale="de", executions=2)
    sent = encode(wrap(job, jid=JID, now=NOW))
    again = unwrap(parse(sent))
    assert again is not None
    assert (again.arguments, again.locale, again.executions) == (given_arguments, "de", 2)
    assert json.loads(encode(wrap(again, jid=JID, now=NOW))) == json.loads(sent)


def test_other_jobs_wrap_nothing() -> None:
    assert unwrap(new_job("GenericWorker", [], jid=JID, now=NOW)) is None


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["x"],
        [{}],
        [{"job_class": "J", "job_id": UUID, "arguments": {}}],
        [{"job_class": "J", "job_id": 7, "arguments": []}],
        [{"job_class": "J", "job_id": UUID, "arguments": [], "locale": 7}],
        [{"job_class": "J", "job_id": UUID, "arguments": [{"_aj_symbol_keys": 7}]}],
    ],
)
def test_refuses_a_wrapping_of_another_form(args: list[Any]) -> None:
    job = new_job("ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper", args, jid=JID, now=NOW)
    with pytest.raises(JobError):
        unwrap(job)


@pytest.mark.parametrize("argument", [{"_aj_globalid": "x"}, {"a": 1, Symbol("a"): 2}])
def test_refuses_hashes_that_would_be_misread(argument: Any) -> None:
    with pytest.raises(JobError):
        wrap(ActiveJob(job_class="J", job_id=UUID, arguments=[argument]), jid=JID, now=NOW)


def test_depth_is_bounded() -> None:
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(JobError):
        wrap(ActiveJob(job_class="J", job_id=UUID, arguments=deep), jid=JID, now=NOW)
    description: Any = {"job_class": "J", "job_id": UUID, "arguments": deep}
    with pytest.raises(JobError):
        unwrap(new_job("Sidekiq::ActiveJob::Wrapper", [description], jid=JID, now=NOW))
