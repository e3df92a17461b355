# SPDX-License-Identifier: AGPL-3.0-or-later
"""The report as Markdown, for a pull request or an issue."""

from __future__ import annotations

import re
from collections.abc import Iterator

from contracts.report import words
from contracts.report.curl import repeat
from contracts.report.model import Judged, Report, RouteReport
from contracts.report.values import clean, short, side_by_side
from proxy.experiment.outcome import Outcome

MOST_FINDINGS = 100
"""Findings shown with a sample; GitHub takes 65,536 characters."""
_LONGEST = 300
_MEANING = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&$])")


def render(report: Report) -> str:
    """One document."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {_text(report.title)}"
    yield ""
    yield f"**{words.verdict(report)}.** {_text(report.scope)} Made {words.moment(report.made_at)}."
    yield ""
    yield "| outcome | pairs | share |"
    yield "|---|---:|---:|"
    for outcome, times in report.outcomes.items():
        yield f"| {words.OUTCOMES[outcome]} | {words.number(times)} | {words.share(times, report.comparisons)} |"
    for why, times in report.reasons.items():
        yield f"| – {words.REASONS[why]} | {words.number(times)} | |"
    yield ""
    yield from _findings(report)
    yield from _endpoints(report)
    yield from _rest(report)


def _findings(report: Report) -> Iterator[str]:
    if not report.open:
        return
    yield "## Open findings"
    yield ""
    for judged in report.open[:MOST_FINDINGS]:
        yield from _finding(judged)
    left = len(report.open) - MOST_FINDINGS
    if left > 0 or report.unread:
        yield f"… and {words.plural(max(left, 0) + report.unread, 'more finding')}; narrow with `--route`."
        yield ""


def _finding(judged: Judged) -> Iterator[str]:
    found = judged.found
    yield f"### {found.severity} {_text(found.route)} {_code(found.field)}"
    yield ""
    seen = f"{words.moment(found.first_seen)} to {words.moment(found.last_seen)}"
    yield f"{words.KINDS[found.kind]}, {words.plural(found.times, 'time')}, {seen}. Fingerprint `{found.fingerprint}`."
    if judged.explanation:
        yield _text(judged.explanation)
    yield ""
    for sample in found.samples[-1:]:
        old, new = side_by_side(found.kind, sample.control, sample.candidate)
        yield "| old side | new side |"
        yield "|---|---|"
        yield f"| {_code(short(str(old), _LONGEST))} | {_code(short(str(new), _LONGEST))} |"
        yield ""
        yield from _block(repeat(sample))
        yield ""


def _endpoints(report: Report) -> Iterator[str]:
    if not report.routes:
        return
    yield "## Endpoints"
    yield ""
    yield "| endpoint | pairs | same | different | failed | not comparable | open | approved | not seen yet |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---|"
    for route in report.routes:
        outcomes = route.endpoint.outcomes
        cells = [
            _text(route.route),
            words.number(route.endpoint.comparisons),
            words.share(route.same, route.compared),
            *(
                words.number(outcomes[one])
                for one in (Outcome.MISMATCH, Outcome.ERROR_ONE_SIDE, Outcome.NOT_COMPARABLE)
            ),
            str(len(route.open)),
            str(len(route.approved)),
            _missing(route),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _missing(route: RouteReport) -> str:
    return "; ".join(
        f"{words.DIMENSIONS[dimension]}: {_text(short(', '.join(values), 120))}"
        for dimension, values in route.missing.items()
    )


def _rest(report: Report) -> Iterator[str]:
    approved = [judged for route in report.routes for judged in route.approved]
    if approved:
        yield "## Approved"
        yield ""
        for judged in approved:
            yield f"- {_text(judged.found.route)} {_code(judged.found.field)}: {_text(words.approved(judged))}"
        yield ""
    noise = [one for route in report.routes for one in route.endpoint.noise]
    if noise:
        yield "## Noise of the old side"
        yield ""
        for one in noise:
            times = f"{words.number(one.differed)} of {words.number(one.pairs)} repeats"
            yield f"- {_text(one.route)} {_code(one.field)}: {_text(one.sort)}, in {times}"
        yield ""
    if report.never_compared:
        yield f"Recorded and never compared: {_text(short(', '.join(report.never_compared), 2_000))}"
        yield ""
    for lost in (*report.lost, *(one for route in report.routes for one in route.endpoint.lost)):
        yield f"Lost: {_text(lost.route)} {words.lost(lost)}"


def _block(text: str) -> Iterator[str]:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    yield f"{fence}sh"
    yield text.replace("\n", " ")
    yield fence


def _code(text: str) -> str:
    """Text as code in a table's cell, whatever is in it."""
    text = clean(text).replace("\n", " ").replace("|", "¦")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text else "–"


def _text(text: str) -> str:
    """Text that means nothing to Markdown."""
    return _MEANING.sub(r"\\\1", clean(text).replace("\n", " "))
