# SPDX-License-Identifier: AGPL-3.0-or-later
"""The report as one self-contained HTML file: read without a network, without scripts, by keyboard, in light and dark.

Everything that comes from outside passes `_e`. The page's own policy (CSP) lets no other script run than the one whose
digest it names, and nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from contracts.report import words
from contracts.report.curl import repeat
from contracts.report.model import Judged, Report, RouteReport, Verdict
from contracts.report.values import Parts, clean, short, side_by_side
from proxy.experiment.evidence import Dimension, Sample
from proxy.experiment.outcome import Outcome

MOST_DETAILED = 400
"""Findings shown with their samples; those beyond are named with their numbers only."""

MOST_NAMED = 4_000
"""Findings named at all."""

_STYLE = Path(__file__).with_name("page.css").read_text("utf-8")
_SCRIPT = Path(__file__).with_name("page.js").read_text("utf-8")
_DIGEST = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_DIGEST}'; "
    "base-uri 'none'; form-action 'none'"
)
_SIGNS = {Verdict.CLEAN: "✓", Verdict.FINDINGS: "✗", Verdict.NOTHING_COMPARED: "?"}


def render(report: Report) -> str:
    """One document."""
    return "\n".join(_document(report)) + "\n"


def _document(report: Report) -> Iterator[str]:
    title = _e(f"{report.title}: {words.verdict(report)}")
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>"
    yield '<a class="skip" href="#endpoints">Skip to the endpoints</a>'
    yield from _head(report)
    yield "<main>"
    yield from _outcomes(report)
    yield from _routes(report)
    yield from _never_compared(report)
    yield "</main>"
    yield f"<footer><p>Made by Banyan on {words.moment(report.made_at)}. Samples are redacted: secrets are left out, "
    yield "what people wrote is shown as its length. To repeat a request, set <code>BANYAN_URL</code> (who to ask) "
    yield "and your own <code>BANYAN_COOKIE</code>.</p></footer>"
    yield f"<script>{_SCRIPT}</script>\n</body>\n</html>"


def _head(report: Report) -> Iterator[str]:
    yield f"<header><h1>{_e(report.title)}</h1>"
    scope = f"{_e(report.scope)} · " if report.scope else ""
    pairs = words.plural(report.comparisons, "pair")
    yield f'<p class="soft">{scope}{pairs} of answers, {words.plural(len(report.routes), "endpoint")}'
    yield f" · {words.moment(report.made_at)}</p>"
    yield f'<p class="verdict {report.verdict}"><span class="sign" aria-hidden="true">{_SIGNS[report.verdict]}</span>'
    yield f"<span>{_e(words.verdict(report))}</span></p></header>"


def _outcomes(report: Report) -> Iterator[str]:
    yield '<section aria-labelledby="outcomes"><h2 id="outcomes">What the pairs came to</h2>'
    total = report.comparisons
    if total:
        yield '<div class="stack" aria-hidden="true">'
        for outcome, times in report.outcomes.items():
            if times:
                yield f'<span class="{outcome}" style="--share:{100 * times / total:.3f}%"></span>'
        yield "</div>"
    rows = [
        (
            f'<span class="swatch {outcome}" aria-hidden="true"></span>{words.OUTCOMES[outcome]}',
            words.number(times),
            words.share(times, total),
        )
        for outcome, times in report.outcomes.items()
    ]
    yield _table(("outcome", "#pairs", "#share"), rows, kind="key")
    if report.reasons:
        yield "<h3>Why pairs were not comparable</h3>"
        yield '<ul class="reasons">'
        for why, times in report.reasons.items():
            yield f"<li>{words.number(times)} × {words.REASONS[why]} <code>{why}</code></li>"
        yield "</ul>"
    for lost in report.lost:
        yield f'<p class="notice">Lost: {_e(words.lost(lost))}.</p>'
    yield "</section>"


def _routes(report: Report) -> Iterator[str]:
    yield '<section aria-labelledby="endpoints"><h2 id="endpoints" tabindex="-1">Endpoints</h2>'
    if not report.routes:
        yield '<p class="notice">No pair of answers was compared, so nothing is known. Is shadowing on? Is this the '
        yield "right database and time?</p></section>"
        return
    yield '<form class="find" role="search" hidden><label for="narrow">Narrow</label>'
    yield '<input id="narrow" type="search" placeholder="endpoint, field, kind, ERR …" autocomplete="off">'
    yield '<span><kbd>/</kbd> to go here, <kbd>Esc</kbd> to clear</span><output aria-live="polite"></output></form>'
    detailed, named = MOST_DETAILED, MOST_NAMED
    hidden = report.unread
    for route in report.routes:
        shown = route.open[: max(named, 0)]
        hidden += len(route.open) - len(shown)
        yield from _route(route, shown, max(detailed, 0))
        detailed -= len(shown)
        named -= len(shown)
    if detailed < 0 or hidden:
        beyond = (
            f"; {words.plural(hidden, 'finding')} beyond {words.number(MOST_NAMED)} are not named"
            if hidden
            else ""
        )
        yield f'<p class="notice">Only the first {MOST_DETAILED} findings are shown with samples{beyond}. Narrow the '
        yield "report with <code>--route</code>, or take <code>--format json</code>.</p>"
    yield "</section>"


def _route(route: RouteReport, shown: tuple[Judged, ...], detailed: int) -> Iterator[str]:
    endpoint = route.endpoint
    yield f'<details class="route" data-find="{_e(_findable(route))}"{" open" if shown and detailed else ""}>'
    yield f'<summary><span class="name">{_e(route.route)}</span>'
    for severity, count in _by_severity(route.open):
        yield f'<span class="badge {severity}">{count} {severity}</span>'
    if route.approved:
        yield f'<span class="badge approved">{len(route.approved)} approved</span>'
    same = f"{words.share(route.same, route.compared)} the same of " if route.compared else ""
    yield f'<span class="end">{same}{words.plural(route.compared, "comparable pair")}</span></summary>'
    yield '<div class="inside">'
    if endpoint.groups:
        yield f'<p class="soft">Group {_e(", ".join(endpoint.groups))}</p>'
    if shown:
        yield "<h3>Open findings</h3>"
        for judged in shown[:detailed]:
            yield from _finding(judged)
        yield from _named(shown[detailed:])
    if route.approved:
        yield "<h3>Approved findings</h3>"
        for judged in route.approved[:detailed]:
            yield from _finding(judged)
        yield from _named(route.approved[detailed:])
    yield from _came_to(route)
    yield from _coverage(route)
    yield from _noise(route)
    for lost in endpoint.lost:
        yield f'<p class="notice">Lost: {_e(words.lost(lost))}.</p>'
    yield "</div></details>"


def _finding(judged: Judged) -> Iterator[str]:
    found = judged.found
    tone = "approved" if judged.approval else found.severity
    badge = f"✓ approved {found.severity}" if judged.approval else found.severity
    yield f'<details class="finding {tone}"><summary><span class="badge">{badge}</span>'
    yield f"<code>{_e(found.field) or '/'}</code><span>{words.KINDS[found.kind]}</span>"
    yield f'<span class="end">{words.plural(found.times, "time")}</span></summary><div>'
    if judged.approval:
        yield f"<p>{_e(words.approved(judged))}</p>"
    if judged.explanation:
        yield f"<p>{_e(judged.explanation)}</p>"
    builds = ", ".join(sorted({one.build for one in found.sightings if one.build}))
    with_build = f", with build {_e(short(builds, 200))}" if builds else ""
    seen = f"Seen from {words.moment(found.first_seen)} to {words.moment(found.last_seen)}"
    yield f'<p class="soft">{seen}{with_build}.</p>'
    for sample in found.samples[-1:]:
        yield from _sample(judged, sample)
    if others := found.samples[:-1]:
        yield f"<details><summary>{words.plural(len(others), 'more sample')}</summary>"
        for sample in others:
            yield from _sample(judged, sample)
        yield "</details>"
    if not found.samples:
        yield '<p class="soft">Its samples are past their time.</p>'
    if not judged.approval:
        yield "<p>If this is meant to be so:</p>"
        yield f"<pre class=\"repeat\">banyan contracts approve {_e(found.fingerprint)} --reason '…'</pre>"
    yield "</div></details>"


def _sample(judged: Judged, sample: Sample) -> Iterator[str]:
    old, new = side_by_side(judged.found.kind, sample.control, sample.candidate)
    yield f'<div class="sample"><p><code>{_e(sample.method)} {_e(sample.target)}</code></p>'
    known = f"request {_e(sample.request_id)}, " if sample.request_id else ""
    user = f", the user got {_e(sample.served)}’s" if sample.served else ""
    yield f'<p class="soft">{words.moment(sample.at)}, {known}{_e(sample.role.replace("_", " "))}{user}. '
    yield f"At <code>{_e(sample.pointer)}</code></p>"
    yield '<div class="pair">'
    yield _side("old", sample.control_side, sample.control_status, old)
    yield _side("new", sample.candidate_side, sample.candidate_status, new)
    yield f'</div><pre class="repeat" tabindex="0" aria-label="The request to repeat">{_e(repeat(sample))}</pre></div>'


def _side(which: str, name: str, status: int, parts: Parts) -> str:
    says = f" ({_e(name)})" if name else ""
    answered = f", status {status}" if status else ""
    marked = f"<mark>{_e(parts.differs)}</mark>" if parts.differs else ""
    value = f"{_e(parts.before)}{marked}{_e(parts.after)}"
    return f'<div class="{which}"><h4>{which} side{says}{answered}</h4><pre>{value}</pre></div>'


def _named(judged: tuple[Judged, ...]) -> Iterator[str]:
    if judged:
        rows = [
            (
                f"<code>{_e(one.found.field)}</code>",
                words.KINDS[one.found.kind],
                one.found.severity,
                words.number(one.found.times),
                f"<code>{_e(one.found.fingerprint)}</code>",
            )
            for one in judged
        ]
        yield _table(("field", "kind", "severity", "#times", "fingerprint"), rows)


def _came_to(route: RouteReport) -> Iterator[str]:
    endpoint = route.endpoint
    told = [(words.OUTCOMES[outcome], times) for outcome, times in endpoint.outcomes.items() if times]
    told += [(f"– {words.REASONS[why]}", times) for why, times in endpoint.reasons.items()]
    rows = [(name, words.number(times), words.share(times, endpoint.comparisons)) for name, times in told]
    yield "<h3>Outcomes</h3>"
    yield _table(("outcome", "#pairs", "#share"), rows)


def _coverage(route: RouteReport) -> Iterator[str]:
    rows = []
    for dimension in Dimension:
        missing = ", ".join(route.missing.get(dimension, ()))
        told = f'<span class="missing">✗ {_e(short(missing, 1_000))}</span>' if missing else "–"
        rows.append((words.DIMENSIONS[dimension], _seen(dimension, route.endpoint.seen(dimension)), told))
    yield "<h3>Coverage</h3>"
    yield _table(("what", "compared", "recorded, not compared yet"), rows)


def _seen(dimension: Dimension, seen: dict[str, int]) -> str:
    most = sorted(seen.items(), key=lambda item: (-item[1], item[0]))
    told = [
        f"{_e(value or ('none' if dimension is Dimension.QUERY else '–'))} ×&nbsp;{words.number(times)}"
        for value, times in most[:12]
    ]
    return ", ".join(told) + (f" and {len(most) - 12} more" if len(most) > 12 else "")


def _noise(route: RouteReport) -> Iterator[str]:
    if not route.endpoint.noise:
        return
    rows = [
        (
            f"<code>{_e(one.field)}</code>",
            _e(one.sort),
            f"{words.number(one.differed)} of {words.number(one.pairs)}",
            f"{words.number(one.raw_differed)} of {words.number(one.raw_pairs)}",
            f"{one.confidence:.2f}",
        )
        for one in route.endpoint.noise
    ]
    yield "<h3>Noise: what differs between two answers of the old side</h3>"
    yield _table(("field", "sort", "#old and old", "#old and new", "#confidence"), rows)


def _never_compared(report: Report) -> Iterator[str]:
    if not report.never_compared:
        return
    yield '<section aria-labelledby="never"><h2 id="never">Recorded and never compared</h2>'
    yield f"<details><summary>{words.plural(len(report.never_compared), 'endpoint')}</summary><p>"
    yield ", ".join(f"<code>{_e(route)}</code>" for route in report.never_compared)
    yield "</p></details></section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "plain") -> str:
    """A table of cells that are HTML already; each row's first is its head. Columns named `#…` hold numbers."""
    numbers = [' class="number"' if head.startswith("#") else "" for head in heads]
    lines = [f'<div class="scroll"><table class="{kind}"><thead><tr>']
    lines += [
        f'<th scope="col"{number}>{head.removeprefix("#")}</th>'
        for head, number in zip(heads, numbers, strict=True)
    ]
    lines.append("</tr></thead><tbody>")
    for first, *rest in rows:
        cells = "".join(f"<td{number}>{cell}</td>" for cell, number in zip(rest, numbers[1:], strict=True))
        lines.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    lines.append("</tbody></table></div>")
    return "\n".join(lines)


def _by_severity(judged: Iterable[Judged]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for one in judged:
        counts[one.found.severity] = counts.get(one.found.severity, 0) + 1
    return list(counts.items())


def _findable(route: RouteReport) -> str:
    found = [one.found for one in (*route.open, *route.approved)]
    texts = [route.route, *route.endpoint.groups]
    for one in found[:200]:
        texts += [one.field, one.kind, one.severity, one.fingerprint, words.KINDS[one.kind]]
    if route.endpoint.outcomes[Outcome.NOT_COMPARABLE]:
        texts.append("not comparable")
    return " ".join(dict.fromkeys(texts)).lower()


def _e(text: str) -> str:
    """Text as HTML, in elements and in quoted attributes alike."""
    return escape(clean(text), quote=True)
