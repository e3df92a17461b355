# SPDX-License-Identifier: AGPL-3.0-or-later
"""What recordings teach about each endpoint: what should be covered, and what its answers look like.

    learn(cases) → Learned ──→ coverage                          for "recorded and not compared yet"
                           └─→ explain(found) → "never null in 4,120 samples"

Looking at every recorded answer takes seconds, so what our own recordings teach is kept beside them, written by
`banyan contracts infer --format learned`. It names the file it was learned from by digest and is left aside where that
has changed. It holds counts, names of fields and short labels; nothing that a person wrote.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import msgspec

from contracts.corpus import OWN_COPY, Corpus, Read
from contracts.notation import JSON_MARKER, fill, marker_of
from contracts.report.coverage import Recorded, recorded_coverage
from proxy.experiment.evidence import Dimension, Found
from proxy.experiment.infer import Shape
from proxy.experiment.outcome import Kind

OWN = Path(__file__).parent / "schemas" / f"{OWN_COPY.name}.json.gz"
"""What the project's own recordings teach."""

_BODY = "/body"
_MASKED_TEXT = re.compile(r"⟨(?!number|boolean|null)[a-z_ ]+, \d+ characters")


class Learned(msgspec.Struct, frozen=True):
    """What is known of each endpoint. `source`: digest of the recordings; `shapes`: route → status → shape of JSON
    bodies as `Shape.kept`, decoded when a finding asks."""

    source: str
    coverage: dict[str, dict[Dimension, list[str]]]
    shapes: dict[str, dict[int, msgspec.Raw]]

    @property
    def recorded(self) -> Recorded:
        """The coverage as a report takes it."""
        return {
            route: {dimension: frozenset(values) for dimension, values in of_route.items()}
            for route, of_route in self.coverage.items()
        }

    def explanations(self) -> Callable[[Found], str]:
        """For `judge`: what recorded answers say against the new side's value; empty where they say nothing."""
        known: dict[tuple[str, int], Shape | None] = {}

        def explain(found: Found) -> str:
            status = found.samples[-1].control_status if found.samples else 0
            key = (found.route, status)
            if key not in known:
                kept = self.shapes.get(found.route, {}).get(status)
                known[key] = None if kept is None else Shape.of(msgspec.json.decode(kept))
            shape = known[key]
            return "" if shape is None else _against(shape, found)

        return explain


def learn(cases: Iterable[Read], source: str = "", routes: Collection[str] | None = None) -> Learned:
    """What cases teach; the shapes only of `routes` where they are named."""
    listed = list(cases)
    shapes: dict[str, dict[int, Shape]] = {}
    for case in listed:
        if routes is None or case.endpoint in routes:
            body = case.response.parsed_body()
            if marker_of(body) == JSON_MARKER:
                of_route = shapes.setdefault(case.endpoint, {})
                of_route.setdefault(case.response.status, Shape()).add(fill(body))
    coverage = {
        route: {dimension: sorted(values) for dimension, values in sorted(of_route.items())}
        for route, of_route in sorted(recorded_coverage(listed).items())
    }
    kept = {
        route: {
            status: msgspec.Raw(msgspec.json.encode(shape.kept()))
            for status, shape in sorted(by_status.items())
        }
        for route, by_status in sorted(shapes.items())
    }
    return Learned(source, coverage, kept)


def learned_from(corpus: Corpus, routes: Collection[str], kept: Path = OWN) -> Learned:
    """What a corpus teaches, shapes of `routes` at least: as it is `kept`, where that was learned from this corpus.

    Raises `CorpusError`.
    """
    source = source_of(corpus)
    try:
        learned = msgspec.json.decode(gzip.decompress(kept.read_bytes()), type=Learned)
    except (OSError, EOFError, msgspec.MsgspecError):
        return learn(corpus.reads(), source, routes)
    return learned if learned.source == source else learn(corpus.reads(), source, routes)


def written(learned: Learned) -> bytes:
    """As it is kept in a file; the same for the same."""
    return gzip.compress(msgspec.json.encode(learned), mtime=0)


def source_of(corpus: Corpus) -> str:
    """The digest by which what was learned knows its recordings."""
    return hashlib.sha256(corpus.raw("reads.jsonl")).hexdigest()


def _against(shape: Shape, found: Found) -> str:
    if not found.field.startswith(f"{_BODY}/"):
        return ""
    field = found.field.removeprefix(_BODY)
    if found.kind is Kind.MISSING:
        return "" if field.endswith("/*") else shape.explain(field, None, missing=True)
    if found.kind in (Kind.EXTRA, Kind.TYPE, Kind.VALUE):
        return _against_value(shape, field, found.samples[-1].candidate)
    return ""


def _against_value(shape: Shape, field: str, value: Any) -> str:
    """Of what stands for a value that is not kept no more is known than that it was a text, if it says so."""
    if isinstance(value, str) and value.startswith("⟨"):
        known = shape.at(field)
        if not _MASKED_TEXT.match(value) or known is None or "string" in known.types:
            return ""
    return shape.explain(field, value)
