# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Rails' own job classes put into a Sidekiq job, and how their arguments are written.

Sidekiq sees the class `…::JobWrapper`, the real class as `wrapped`, and one argument: ActiveJob's
description of the job. Arguments that JSON has no type for are marked:

    Ruby                           JSON                                                     Python
    a record                       {"_aj_globalid": "gid://app/User/1"}                     GlobalId
    Symbol                         {"_aj_serialized": "ActiveJob::Serializers::Symbol…",    Symbol
                                    "value": "name"}
    times, durations, …            {"_aj_serialized": CLASS, …}                             Serialized
    Hash                           {…, "_aj_symbol_keys": [keys that are symbols]}          dict
    keyword arguments              {…, "_aj_ruby2_keywords": [all keys]}                    Keywords

A hash with indifferent access becomes a dict of strings and is written back as a plain one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias

from railscompat.errors import Code, JobError
from railscompat.marshal import Symbol
from railscompat.sidekiq import Job, Json, new_job

WRAPPER: Final = "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper"
"""Sidekiq's adapter since 7.3 names it `Sidekiq::ActiveJob::Wrapper` and knows this name too."""

MAX_DEPTH: Final = 64
"""Most levels of lists and hashes in an argument."""

_WRAPPERS: Final = (WRAPPER, "Sidekiq::ActiveJob::Wrapper")
_FIELDS: Final[dict[str, Json]] = {
    "job_class": None,
    "job_id": None,
    "arguments": None,
    "queue_name": "default",
    "locale": "en",
    "timezone": None,
    "executions": 0,
}
"""A description's fields in the order `unwrap` takes them, with what ActiveJob assumes where one is missing."""

_SYMBOL_SERIALIZER: Final = "ActiveJob::Serializers::SymbolSerializer"
_SYMBOL_KEYS: Final = "_aj_symbol_keys"
_KEYWORDS: Final = "_aj_ruby2_keywords"
_GLOBAL_ID: Final = "_aj_globalid"
_SERIALIZED: Final = "_aj_serialized"


@dataclass(frozen=True, slots=True)
class GlobalId:
    """A record, by its address: `gid://app/Model/id`."""

    uri: str


@dataclass(frozen=True, slots=True)
class Keywords:
    """Keyword arguments, which come last."""

    values: Mapping[str, "Argument"]


@dataclass(frozen=True, slots=True)
class Serialized:
    """An argument of a type that is not interpreted here: its serializer's class and what that wrote."""

    serializer: str
    fields: Mapping[str, Json]


Argument: TypeAlias = (
    bool
    | int
    | float
    | str
    | Symbol
    | GlobalId
    | Keywords
    | Serialized
    | list["Argument"]
    | dict[str | Symbol, "Argument"]
    | None
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveJob:
    """One of Rails' own jobs."""

    job_class: str
    job_id: str
    """A UUID of ActiveJob's; Sidekiq's id is another."""
    arguments: list[Argument]
    queue: str = "default"
    locale: str = "en"
    timezone: str | None = None
    executions: int = 0
    more: Mapping[str, Json] = field(default_factory=dict)
    """Whatever else the description says (`priority`, `exception_executions`, `enqueued_at`, …)."""


def wrap(job: ActiveJob, *, jid: str, now: datetime) -> Job:
    """The Sidekiq job that has Rails perform `job`. Raises JobError for arguments that cannot be written."""
    description: dict[str, Json] = {
        "job_class": job.job_class,
        "job_id": job.job_id,
        "provider_job_id": None,
        "queue_name": job.queue,
        "priority": None,
        "arguments": [_write(argument, 0) for argument in job.arguments],
        "executions": job.executions,
        "exception_executions": {},
        "locale": job.locale,
        "timezone": job.timezone,
        "enqueued_at": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z"),
        "scheduled_at": None,
        **job.more,
    }
    more: dict[str, Json] = {"wrapped": job.job_class}
    return new_job(WRAPPER, [description], jid=jid, now=now, queue=job.queue, more=more)


def unwrap(job: Job) -> ActiveJob | None:
    """The job of Rails' that `job` wraps; None where it wraps none. Raises JobError where the wrapping is
    off.
    """
    if job.class_name not in _WRAPPERS:
        return None
    description = job.args[0] if len(job.args) == 1 else None
    if not isinstance(description, dict):
        raise JobError(Code.MALFORMED, "no description of the job")
    match [description.get(name, default) for name, default in _FIELDS.items()]:
        case [
            str(job_class),
            str(job_id),
            list(arguments),
            str(queue),
            str(locale),
            (str() | None) as timezone,
            int(executions),
        ]:
            return ActiveJob(
                job_class=job_class,
                job_id=job_id,
                arguments=[_read(argument, 0) for argument in arguments],
                queue=queue,
                locale=locale,
                timezone=timezone,
                executions=executions,
                more={name: value for name, value in description.items() if name not in _FIELDS},
            )
    raise JobError(Code.MALFORMED, "a field is missing or of another type")


def _write(argument: Argument, depth: int) -> Json:
    _check_depth(depth)
    match argument:
        case Symbol(name):
            return {_SERIALIZED: _SYMBOL_SERIALIZER, "value": name}
        case GlobalId(uri):
            return {_GLOBAL_ID: uri}
        case Serialized(serializer, fields):
            return {_SERIALIZED: serializer, **fields}
        case Keywords(values):
            names: list[Json] = list(values)
            return {**_write_values(values, depth), _KEYWORDS: names}
        case list():
            return [_write(element, depth + 1) for element in argument]
        case dict():
            symbols: list[Json] = [str(key) for key in argument if isinstance(key, Symbol)]
            return {**_write_values(argument, depth), _SYMBOL_KEYS: symbols}
        case _:
            return argument


def _write_values(
    values: Mapping[str, Argument] | Mapping[str | Symbol, Argument], depth: int
) -> dict[str, Json]:
    written: dict[str, Json] = {}
    for key, value in values.items():
        name = str(key)
        if name.startswith("_aj_") or name in written:
            raise JobError(Code.UNSUPPORTED, f"the key {name!r} is reserved or there twice")
        written[name] = _write(value, depth + 1)
    return written


def _read(argument: Json, depth: int) -> Argument:
    _check_depth(depth)
    if isinstance(argument, list):
        return [_read(element, depth + 1) for element in argument]
    if not isinstance(argument, dict):
        return argument
    match argument:
        case {"_aj_globalid": str(uri)}:
            return GlobalId(uri)
        case {"_aj_serialized": "ActiveJob::Serializers::SymbolSerializer", "value": str(name)}:
            return Symbol(name)
        case {"_aj_serialized": str(serializer)}:
            return Serialized(serializer, {k: v for k, v in argument.items() if k != _SERIALIZED})
    values = {key: _read(value, depth + 1) for key, value in argument.items() if not key.startswith("_aj_")}
    if _KEYWORDS in argument:
        return Keywords(values)
    symbols = argument.get(_SYMBOL_KEYS, [])
    if not isinstance(symbols, list):
        raise JobError(Code.MALFORMED, "no list of symbol keys")
    return {Symbol(key) if key in symbols else key: value for key, value in values.items()}


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise JobError(Code.TOO_LARGE, f"more than {MAX_DEPTH} levels")
