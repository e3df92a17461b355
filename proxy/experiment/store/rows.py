# SPDX-License-Identifier: AGPL-3.0-or-later
"""Batches as columns for the statements, and rows as evidence. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from proxy.experiment.evidence import (
    Batch,
    Count,
    Covered,
    Dimension,
    Found,
    Loss,
    Lost,
    NoiseSeen,
    Sample,
    Series,
    Sighting,
)
from proxy.experiment.outcome import Kind, Outcome, Severity, Why

Columns = list[list[Any]]
"""One list per column of a statement."""

Row: TypeAlias = Any
"""A row of asyncpg: values by column. It is a mapping in all but its declared type."""

_SAMPLES = msgspec.json.Decoder(Sample)


def series_id(series: Series) -> int:
    """A number made of all that a series is, in the range of bigint."""
    digest = hashlib.blake2b(msgspec.json.encode(_series_texts(series)), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def series_columns(batch: Batch) -> Columns:
    """For WRITE_SERIES."""
    latest: dict[Series, int] = {}
    times: dict[Series, int] = {}
    for count in batch.counts:
        latest[count.series] = max(count.hour, latest.get(count.series, 0))
        times[count.series] = times.get(count.series, 0) + count.times
    rows = [
        (series_id(series), *_series_texts(series), float(hour), times[series])
        for series, hour in latest.items()
    ]
    return _columns(rows, 10)


def count_columns(batch: Batch) -> Columns:
    """For WRITE_COUNTS."""
    return _columns([(series_id(one.series), float(one.hour), one.times) for one in batch.counts], 3)


def finding_columns(batch: Batch) -> Columns:
    """For WRITE_FINDINGS."""
    rows = [
        (
            *map(text, (one.fingerprint, one.route, one.group, one.field, one.kind, one.severity)),
            one.first_seen,
            one.last_seen,
        )
        for one in batch.findings
    ]
    return _columns(rows, 8)


def sighting_columns(findings: Iterable[Found]) -> Columns:
    """For WRITE_SIGHTINGS."""
    rows = [
        (text(found.fingerprint), text(one.build), float(one.hour), one.times)
        for found in findings
        for one in found.sightings
    ]
    return _columns(rows, 4)


def sample_columns(placed: Mapping[tuple[str, int], Sample]) -> Columns:
    """For WRITE_SAMPLES; keys are fingerprint and place."""
    rows = [
        (text(fingerprint), place, sample.at, encoded(sample))
        for (fingerprint, place), sample in placed.items()
    ]
    return _columns(rows, 4)


def coverage_columns(batch: Batch) -> Columns:
    """For WRITE_COVERAGE."""
    rows = [
        (text(one.route), text(one.dimension), text(one.value), one.first_seen, one.last_seen, one.times)
        for one in batch.coverage
    ]
    return _columns(rows, 6)


def noise_columns(batch: Batch) -> Columns:
    """For WRITE_NOISE."""
    rows = [
        (
            *map(text, (one.route, one.field, one.kind, one.sort)),
            one.pairs,
            one.differed,
            one.raw_pairs,
            one.raw_differed,
            one.confidence,
            one.last_seen,
        )
        for one in batch.noise
    ]
    return _columns(rows, 10)


def lost_columns(lost: Iterable[Lost]) -> Columns:
    """For WRITE_LOST."""
    return _columns([(text(one.route), text(one.what), one.times, one.last_seen) for one in lost], 4)


def read_count(row: Row) -> Count:
    """A row of READ_COUNTS or READ_TOTALS."""
    series = Series(
        row["route"],
        row["group"],
        row["served"],
        row["build"],
        row["role"],
        Outcome(row["outcome"]),
        Why(row["why"]) if row["why"] else None,
    )
    return Count(series, row["hour"], row["times"])


def read_found(row: Row, samples: tuple[Sample, ...]) -> Found:
    """A row of READ_FINDINGS, with its samples."""
    return Found(
        row["fingerprint"],
        row["route"],
        row["group"],
        row["field"],
        Kind(row["kind"]),
        Severity(row["severity"]),
        row["first_seen"],
        row["last_seen"],
        tuple(map(Sighting, row["builds"], row["hours"], row["times"])),
        samples,
    )


def read_sample(written: str) -> Sample:
    """A sample as it was `encoded`."""
    try:
        return _SAMPLES.decode(written)
    except msgspec.DecodeError:  # what only Python's own reader takes: Infinity, half characters
        return msgspec.convert(json.loads(written), Sample)


def read_covered(row: Row) -> Covered:
    """A row of READ_COVERAGE."""
    return Covered(**{**row, "dimension": Dimension(row["dimension"])})


def read_noise(row: Row) -> NoiseSeen:
    """A row of READ_NOISE."""
    return NoiseSeen(**{**row, "kind": Kind(row["kind"])})


def read_lost(row: Row) -> Lost:
    """A row of READ_LOST."""
    return Lost(**{**row, "what": Loss(row["what"])})


def encoded(sample: Sample) -> str:
    """A sample as JSON in ASCII. Python's encoder, since values may hold whole numbers of any length; half characters,
    which JSON can say, stay escaped."""
    return json.dumps(msgspec.structs.asdict(sample), default=str, allow_nan=True)


def text(value: str) -> str:
    """As PostgreSQL takes it: without NUL, and without halves of characters."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _series_texts(series: Series) -> tuple[str, ...]:
    return tuple(
        map(
            text,
            (
                series.route,
                series.group,
                series.served,
                series.build,
                series.role,
                series.outcome,
                series.why or "",
            ),
        )
    )


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> Columns:
    columns: Columns = [[] for _ in range(width)]
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns
