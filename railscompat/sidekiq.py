# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sidekiq 7's jobs, as they lie in Redis.

    set   queues         the names of all queues
    list  queue:NAME     payloads, newest first; a consumer takes from the other end
    zset  schedule       payloads of later jobs by Unix time, without `enqueued_at`
    zset  retry, dead    failed ones

A payload is one JSON object: class, args, jid (24 hex digits), queue, retry, backtrace, created_at and
enqueued_at (seconds); failed and wrapped ones carry more, which is kept as it came. What is to be sent is
decided here as plain commands; sending them is the caller's. Jobs of ActiveJob are wrapped: see
`activejob`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeAlias

from railscompat.errors import Code, JobError

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
Command: TypeAlias = tuple[str, ...]
"""A Redis command and its arguments."""

QUEUES_KEY: Final = "queues"
SCHEDULE_KEY: Final = "schedule"
RETRY_KEY: Final = "retry"
DEAD_KEY: Final = "dead"
JID_BYTES: Final = 12

_FIELDS: Final[dict[str, Json]] = {
    "class": None,
    "args": None,
    "jid": None,
    "queue": "default",
    "retry": True,
    "backtrace": False,
    "created_at": 0.0,
    "enqueued_at": None,
}
"""A payload's own fields in the order `parse` takes them, with what Sidekiq assumes where one is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. Times are Unix seconds, as in the payload."""

    class_name: str
    args: list[Json]
    jid: str
    created_at: float
    enqueued_at: float | None = None
    queue: str = "default"
    retry: bool | int = True
    backtrace: bool | int = True
    more: Mapping[str, Json] = field(default_factory=dict)
    """Whatever else the payload says (`wrapped`, `error_message`, `retry_count`, …)."""


def queue_key(queue: str) -> str:
    """The key of the list that `queue` is."""
    return f"queue:{queue}"


def new_jid(random: bytes) -> str:
    """A job's id, from 12 random bytes."""
    if len(random) != JID_BYTES:
        raise ValueError(f"{JID_BYTES} bytes are needed, not {len(random)}")
    return random.hex()


def new_job(
    class_name: str,
    args: list[Json],
    *,
    jid: str,
    now: datetime,
    queue: str = "default",
    retry: bool | int = True,
    more: Mapping[str, Json] | None = None,
) -> Job:
    """A job that is made now and waits to be pushed or scheduled. `now` must know its time zone."""
    created_at = _seconds(now)
    return Job(
        class_name=class_name,
        args=args,
        jid=jid,
        created_at=created_at,
        queue=queue,
        retry=retry,
        more=more or {},
    )


def push_commands(job: Job, *, now: datetime) -> tuple[Command, ...]:
    """What puts `job` into its queue, in this order (best within one MULTI). Raises JobError."""
    payload = encode(replace(job, enqueued_at=_seconds(now)))
    return ("SADD", QUEUES_KEY, job.queue), ("LPUSH", queue_key(job.queue), payload)


def schedule_commands(job: Job, *, at: datetime) -> tuple[Command, ...]:
    """What has `job` put into its queue at a later moment. Raises JobError."""
    payload = encode(replace(job, enqueued_at=None))
    return (("ZADD", SCHEDULE_KEY, repr(_seconds(at)), payload),)


def encode(job: Job) -> str:
    """The payload, in Sidekiq's order of keys. Raises JobError for arguments that JSON cannot hold."""
    payload: dict[str, Json] = {
        "retry": job.retry,
        "queue": job.queue,
        "backtrace": job.backtrace,
        "class": job.class_name,
        "args": job.args,
        "jid": job.jid,
        **job.more,
        "created_at": job.created_at,
    }
    if job.enqueued_at is not None:
        payload["enqueued_at"] = job.enqueued_at
    try:
        text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise JobError(Code.MALFORMED, f"no JSON: {error}") from error
    return text


def parse(payload: bytes | str) -> Job:
    """The job of a payload. Raises JobError."""
    try:
        fields: Json = json.loads(payload)
    except (ValueError, RecursionError):
        raise JobError(Code.MALFORMED, "no JSON") from None
    if not isinstance(fields, dict):
        raise JobError(Code.MALFORMED, "no object")
    match [fields.get(name, default) for name, default in _FIELDS.items()]:
        case [
            str(class_name),
            list(args),
            str(jid),
            str(queue),
            int(retry),
            int(backtrace),
            int(created_at) | float(created_at),
            (int() | float() | None) as enqueued_at,
        ]:
            return Job(
                class_name=class_name,
                args=args,
                jid=jid,
                queue=queue,
                retry=retry,
                backtrace=backtrace,
                created_at=created_at,
                enqueued_at=enqueued_at,
                more={name: value for name, value in fields.items() if name not in _FIELDS},
            )
    raise JobError(Code.MALFORMED, "a field is missing or of another type")


def _seconds(moment: datetime) -> float:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.timestamp()
