# SPDX-License-Identifier: AGPL-3.0-or-later
"""The report as JUnit's XML: a suite per endpoint, a case per finding, and one for the endpoint itself.

An open finding that is serious enough is a failure, any other a passed case that says what it is; an endpoint without
one comparable pair is an error. So a report of nothing never passes.
"""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from contracts.report import words
from contracts.report.curl import repeat
from contracts.report.model import Judged, Report, RouteReport
from contracts.report.values import clean, side_by_side
from proxy.experiment.evidence import RANK
from proxy.experiment.outcome import Severity


def render(report: Report) -> str:
    """One XML document."""
    suites = Xml.Element("testsuites", name=clean(report.title))
    for route in report.routes:
        _suite(suites, route, report.fail_on)
    if not report.routes:
        suite = Xml.SubElement(suites, "testsuite", name="report")
        case = Xml.SubElement(suite, "testcase", classname="report", name="comparisons")
        Xml.SubElement(case, "error", message=words.verdict(report))
        _count(suite)
    for total in ("tests", "failures", "errors"):
        suites.set(total, str(sum(int(suite.get(total, "0")) for suite in suites)))
    Xml.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(suites, encoding="unicode") + "\n"


def _suite(suites: Xml.Element, route: RouteReport, fail_on: Severity) -> None:
    name = clean(route.route)
    suite = Xml.SubElement(suites, "testsuite", name=name)
    case = Xml.SubElement(suite, "testcase", classname=name, name="compared")
    if route.compared:
        text = f"{words.number(route.same)} of {words.plural(route.compared, 'pair')} are the same"
        Xml.SubElement(case, "system-out").text = text
    else:
        Xml.SubElement(case, "error", message="no pair was comparable")
    for judged in (*route.open, *route.approved):
        _case(suite, name, judged, fail_on)
    _count(suite)


def _case(suite: Xml.Element, route: str, judged: Judged, fail_on: Severity) -> None:
    found = judged.found
    name = clean(f"{found.field} {found.kind} {found.fingerprint}")
    case = Xml.SubElement(suite, "testcase", classname=route, name=name)
    message = (
        f"{found.severity}: {found.field}: {words.KINDS[found.kind]}, {words.plural(found.times, 'time')}"
    )
    if judged.approval is not None:
        Xml.SubElement(case, "system-out").text = clean(words.approved(judged))
    elif RANK[found.severity] <= RANK[fail_on]:
        failure = Xml.SubElement(case, "failure", message=clean(message), type=found.severity)
        failure.text = _detail(judged)
    else:
        Xml.SubElement(case, "system-out").text = f"{clean(message)}\n{_detail(judged)}"


def _detail(judged: Judged) -> str:
    lines = [judged.explanation] if judged.explanation else []
    for sample in judged.found.samples[-1:]:
        old, new = side_by_side(judged.found.kind, sample.control, sample.candidate)
        lines += [f"at {sample.pointer}", f"old: {old}", f"new: {new}", repeat(sample)]
    return clean("\n".join(lines))


def _count(suite: Xml.Element) -> None:
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
