# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reports: the judgement, and what each form shows of it, also of hostile values."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.corpus import Read, ReadRequest
from contracts.report import (
    ApprovalsError,
    Format,
    Report,
    Verdict,
    judge,
    read_approvals,
    recorded_coverage,
    render,
)
from contracts.report.curl import repeat
from contracts.report.page import MOST_DETAILED
from contracts.report.values import side_by_side
from proxy.experiment.evidence import Approval, Dimension, Evidence, Loss, Sample
from proxy.experiment.noise import Noise
from proxy.experiment.outcome import Comparison, Kind, Outcome, Severity, Why
from proxy.experiment.tally import Bounds, Tally
from tests.evidence import MATCH, NOON, a_finding, a_pair, mismatch, tallied

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`|$(id)\x1b[31m\u202e]]>&amp;\0\ud800"
)


def a_report(*added: tuple[Any, Comparison], **given: Any) -> Report:
    return judge(Evidence.of(tallied(*added)), now=given.pop("now", NOON + 60), **given)


def approval(fingerprint: str, until: float | None = None) -> Approval:
    return Approval(fingerprint, "ada", "the old wording had a typo", NOON, until)


def test_nothing_compared_is_no_success() -> None:
    assert a_report().verdict is Verdict.NOTHING_COMPARED
    raced = Comparison(Outcome.NOT_COMPARABLE, Why.RACED)
    assert a_report((a_pair(), raced)).verdict is Verdict.NOTHING_COMPARED


def test_findings_fail_from_the_severity_that_was_asked_for() -> None:
    warned = mismatch(a_finding(severity=Severity.WARN))
    assert a_report((a_pair(), warned)).verdict is Verdict.CLEAN
    assert a_report((a_pair(), warned), fail_on=Severity.WARN).verdict is Verdict.FINDINGS
    assert a_report((a_pair(), MATCH), fail_on=Severity.INFO).verdict is Verdict.CLEAN


def test_an_approval_carries_until_it_ends() -> None:
    pair = (a_pair(), mismatch(a_finding(fingerprint="f1")))
    accepted = a_report(pair, approvals=[approval("f1", NOON + 100)])
    assert accepted.verdict is Verdict.CLEAN
    assert [one.found.fingerprint for one in accepted.routes[0].approved] == ["f1"]
    assert a_report(pair, approvals=[approval("f1", NOON + 100)], now=NOON + 101).verdict is Verdict.FINDINGS
    assert a_report(pair, approvals=[approval("f2")]).verdict is Verdict.FINDINGS


def a_case(endpoint: str, path: str, status: int, actor: str) -> Read:
    return msgspec.convert(
        {
            "id": path,
            "endpoint": endpoint,
            "route": path,
            "actor": actor,
            "request": msgspec.to_builtins(ReadRequest("GET", path)),
            "response": {"status": status, "headers": {}},
            "date": "2026-01-01T00:00:00Z",
        },
        Read,
    )


def test_coverage_tells_what_was_recorded_and_not_compared() -> None:
    recorded = recorded_coverage(
        [
            a_case("tags#index", "/api/v1/tags?group_id=1", 200, "alice"),
            a_case("tags#index", "/api/v1/tags?from=1&per=2", 403, "anonymous"),
            a_case("polls#show", "/api/v1/polls/1", 200, "alice"),
        ]
    )
    report = a_report((a_pair(), MATCH), recorded=recorded)
    assert report.never_compared == ("polls#show",)
    assert report.routes[0].missing == {
        Dimension.QUERY: ("from", "per"),
        Dimension.STATUS: ("403",),
        Dimension.ROLE: ("anonymous",),
    }


def test_the_differing_part_is_told_apart() -> None:
    old, new = side_by_side(Kind.VALUE, "a long text", "a wrong text")
    assert (old.before, old.differs, old.after) == ('"a ', "l", 'ong text"')
    assert (new.before, new.differs, new.after) == ('"a ', "wr", 'ong text"')
    assert str(side_by_side(Kind.MISSING, None, None)[0]) == "null"
    assert str(side_by_side(Kind.MISSING, None, None)[1]) == "(not there)"
    assert str(side_by_side(Kind.EXTRA, None, [1])[1]) == "[1]"


@given(st.text(max_size=8), st.text(max_size=8))
def test_the_parts_of_short_values_make_up_the_values(one: str, other: str) -> None:
    for value, parts in zip((one, other), side_by_side(Kind.VALUE, one, other), strict=True):
        assert "".join(parts).count('"') >= 2
        if value.isascii() and value.isprintable():
            assert str(parts) == json.dumps(value)


def test_the_request_to_repeat_needs_ones_own_secrets() -> None:
    sample = Sample(
        NOON,
        "r1",
        "GET",
        "/x?q=it's%20`id`$(id)",
        (
            ("Cookie", "_s=hush"),
            ("Accept", "a/b; q='1'"),
            ("Authorization", "Bearer hush"),
            ("If-None-Match", '"e"'),
        ),
        "signed_in",
        "/body",
    )
    assert repeat(sample) == (
        """curl -sS -i -H "Cookie: $BANYAN_COOKIE" -H 'Accept: a/b; q='"'"'1'"'"'' """
        """-H "Authorization: $BANYAN_AUTHORIZATION" "$BANYAN_URL"'/x?q=it'"'"'s%20`id`$(id)'"""
    )


def hostile_report() -> Report:
    """Everything that comes from outside is hostile."""
    batch = tallied(
        (a_pair(HOSTILE, HOSTILE, headers=(("Accept", HOSTILE),), role=HOSTILE, build=HOSTILE), mismatch())
    )
    found = batch.findings[0]
    sample = msgspec.structs.replace(
        found.samples[0],
        target=HOSTILE,
        pointer=HOSTILE,
        control=HOSTILE,
        candidate={HOSTILE: [HOSTILE]},
        served=HOSTILE,
    )
    found = msgspec.structs.replace(found, field=HOSTILE, samples=(sample,))
    tally = Tally()
    tally.add_noise([Noise(HOSTILE, HOSTILE, Kind.VALUE, HOSTILE, 1, 1, 1, 1, 1.0)], NOON)
    tally.add_lost(Loss.FINDINGS, 3, NOON, HOSTILE)
    noisy = tally.take()
    evidence = Evidence.of(
        msgspec.structs.replace(batch, findings=(found,), noise=noisy.noise, lost=noisy.lost)
    )
    recorded = {HOSTILE: {Dimension.QUERY: frozenset([HOSTILE])}, f"{HOSTILE}2": {}}
    return judge(
        evidence, now=NOON, title=HOSTILE, scope=HOSTILE, recorded=recorded, explain=lambda _: HOSTILE
    )


class Tags(HTMLParser):
    """What elements, attributes and scripts a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.scripts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in ("meta", "input", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)


def test_a_hostile_value_does_nothing_in_html() -> None:
    page = render(hostile_report(), Format.HTML)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert "img" not in tags.names
    assert not {name for name in tags.attributes if name.startswith("on")}
    assert len(tags.scripts) == 1
    assert "alert" not in tags.scripts[0]
    page.encode("utf-8")


@pytest.mark.parametrize("form", [Format.TABLE, Format.MARKDOWN, Format.HTML, Format.JUNIT])
def test_nothing_in_a_report_drives_a_terminal_or_turns_text_around(form: Format) -> None:
    text = render(hostile_report(), form)
    assert not re.search("[\x00\x1b\u202e\ud800]", text)


def test_json_says_everything() -> None:
    document = json.loads(render(hostile_report(), Format.JSON))
    (route,) = document["routes"]
    assert route["route"] == HOSTILE
    assert route["findings"][0]["samples"][0]["control"] == HOSTILE
    assert document["verdict"] == "findings"


def test_markdown_keeps_hostile_text_in_its_place() -> None:
    lines = render(hostile_report(), Format.MARKDOWN).splitlines()
    for line in lines:
        if not line.startswith("|"):
            continue
        assert line.count(" | ") <= 8
    outside = [
        re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", line) for line in lines if not line.startswith("curl")
    ]
    assert [line for line in outside if re.search(r"(?<!\\)<", line)] == []


def test_junit_is_xml_that_counts_right() -> None:
    report = a_report(
        (a_pair(), mismatch(a_finding("/body/a", fingerprint="f1"), a_finding("/body/b", fingerprint="f2"))),
        (a_pair(), mismatch(a_finding("/body/c", severity=Severity.INFO))),
        (a_pair("tags#show"), MATCH),
        (a_pair("polls#index"), Comparison(Outcome.NOT_COMPARABLE, Why.RACED)),
        approvals=[approval("f2")],
    )
    suites = Xml.fromstring(render(report, Format.JUNIT))
    assert {name: suites.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "6",
        "failures": "1",
        "errors": "1",
    }
    assert [case.get("name") for case in suites.iter("testcase") if case.find("failure") is not None] == [
        "/body/a value f1"
    ]
    assert Xml.fromstring(render(hostile_report(), Format.JUNIT)).get("failures") == "1"
    assert Xml.fromstring(render(a_report(), Format.JUNIT)).get("errors") == "1"


@pytest.mark.parametrize("form", list(Format))
def test_every_form_shows_findings_approvals_noise_and_losses(form: Format) -> None:
    tally = Tally()
    tally.add(
        a_pair(), mismatch(a_finding("/body/open", 12, 13), a_finding("/body/accepted", fingerprint="f2"))
    )
    tally.add(a_pair(), Comparison(Outcome.NOT_COMPARABLE, Why.RACED))
    report = judge(
        Evidence.of(tally.take()), now=NOON, approvals=[approval("f2")], explain=lambda _: "never null"
    )
    text = render(report, form, width=200)
    for expected in ("tags#index", "/body/open", "never null", "typo", "12", "13", "BANYAN_COOKIE"):
        assert expected in text.replace("\\#", "#").replace("\\_", "_"), expected


def test_a_big_report_stays_usable() -> None:
    tally = Tally(Bounds(findings_per_route=5_000))
    findings = [a_finding(f"/body/field{number}") for number in range(3_000)]
    tally.add(a_pair(), mismatch(*findings))
    report = judge(Evidence.of(tally.take()), now=NOON)
    page = render(report, Format.HTML)
    assert page.count('class="sample"') == MOST_DETAILED
    assert f"Only the first {MOST_DETAILED} findings" in page
    assert len(page) < 3_000_000
    assert "more findings" in render(report, Format.TABLE)
    assert len(render(report, Format.MARKDOWN)) < 65_536
    assert len(json.loads(render(report, Format.JSON))["routes"][0]["findings"]) == 3_000


def test_approvals_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "approvals.yaml"
    file.write_text(
        "approvals:\n- {fingerprint: f1, by: ada, reason: fine, at: 2026-01-02, until: 2026-01-31}\n"
    )
    (read,) = read_approvals(file)
    assert (read.fingerprint, read.by, read.reason) == ("f1", "ada", "fine")
    assert read.until is not None
    assert read.until - read.at == pytest.approx(30 * 86_400, abs=1)
    file.write_text("")
    assert read_approvals(file) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- 1", "one key, approvals"),
        ("approvals: [1]", "approval 1: write fingerprint"),
        ("approvals: [{fingerprint: 12, by: a, reason: b}]", "put quotes around it"),
        ("approvals: [{fingerprint: f, by: a}]", "reason is missing"),
        ("approvals: [{fingerprint: f, by: a, reason: b, when: 1}]", "when: there is no such key"),
        ("approvals: [{fingerprint: f, by: a, reason: b, until: soon}]", "until is not a day"),
        ("a: [", "no YAML"),
    ],
)
def test_broken_approvals_are_told_with_their_place(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "approvals.yaml"
    file.write_text(text)
    with pytest.raises(ApprovalsError, match=says):
        read_approvals(file)


def test_a_missing_file_of_approvals_is_told(tmp_path: Path) -> None:
    with pytest.raises(ApprovalsError, match="No such file"):
        read_approvals(tmp_path / "nowhere.yaml")
