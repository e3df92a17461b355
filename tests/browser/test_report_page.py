# SPDX-License-Identifier: AGPL-3.0-or-later
"""The HTML report as a person meets it: by keyboard, in light and dark, wide and narrow, without scripts, unharmed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from contracts.report import Format, judge, render
from proxy.experiment.evidence import Approval, Evidence, Loss
from proxy.experiment.noise import Noise
from proxy.experiment.outcome import Comparison, Kind, Outcome, Severity, Why
from proxy.experiment.tally import Tally
from tests.evidence import MATCH, NOON, a_finding, a_pair, mismatch

XSS = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report with something of everything."""
    tally = Tally()
    for _ in range(900):
        tally.add(a_pair("tags#index"), MATCH)
    for why in (Why.RACED, Why.BUDGET):
        tally.add(a_pair("polls#index"), Comparison(Outcome.NOT_COMPARABLE, why))
    tally.add(a_pair("tags#index"), Comparison(Outcome.MATCH_AFTER_NORMALIZING))
    tally.add(
        a_pair("discussions#show", f"/api/v1/discussions/1?exclude_types={XSS}", headers=(("Accept", XSS),)),
        mismatch(
            a_finding("/body/items_count", 12, 13),
            a_finding("/body/plan", None, {"plan": "free", "label": XSS, XSS: 1}, kind=Kind.EXTRA),
            a_finding("/headers/cache-control", "no-store", "private", severity=Severity.WARN),
            a_finding("/body/accepted", 1, 2, fingerprint="f2"),
            a_finding("/body/info", 1, "1", kind=Kind.TYPE, severity=Severity.INFO),
        ),
    )
    failed = Comparison(
        Outcome.ERROR_ONE_SIDE, findings=(a_finding("/status", 200, 502, fingerprint="f3", kind=Kind.STATUS),)
    )
    tally.add(a_pair("groups#show"), failed)
    tally.add_noise([Noise("tags#index", "/body/now", Kind.VALUE, "timestamp", 50, 50, 900, 900, 0.93)], NOON)
    tally.add_lost(Loss.COMPARISONS, 7, NOON)
    made = judge(
        Evidence.of(tally.take()), now=NOON, title=XSS, approvals=[Approval("f2", "ada", XSS, NOON)],
        explain=lambda _: XSS,
    )  # fmt: skip
    file = tmp_path / "report.html"
    file.write_text(render(made, Format.HTML), "utf-8")
    return file


async def shown(
    browser: Browser,
    file: Path,
    *,
    width: int = 1280,
    dark: bool = False,
    scripts: bool = True,
    complaints: list[str] | None = None,
) -> Page:
    """The report as somebody sees it; what the console complains of goes to `complaints`."""
    page = await browser.new_page(
        viewport={"width": width, "height": 1000},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
    )
    if complaints is not None:
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(file.as_uri())
    return page


async def test_hostile_values_stay_text(browser: Browser, report: Path) -> None:
    complaints: list[str] = []
    page = await shown(browser, report, complaints=complaints)
    await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert await page.evaluate("document.images.length") == 0
    assert XSS in await page.evaluate("document.title")
    assert await page.evaluate("document.querySelector('h1').textContent") == XSS
    assert complaints == []


async def test_everything_is_reached_by_keyboard(browser: Browser, report: Path) -> None:
    page = await shown(browser, report)
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "Skip to the endpoints"
    await page.keyboard.press("/")
    assert await page.evaluate("document.activeElement.id") == "narrow"
    await page.keyboard.type("discussions")
    visible = """
        [...document.querySelectorAll('.route')].filter(one => one.offsetParent)
            .map(one => one.querySelector('.name').textContent)
    """
    assert await page.evaluate(visible) == ["discussions#show"]
    assert await page.evaluate("document.querySelector('output').textContent") == "1 of 4 endpoints"
    await page.keyboard.press("Tab")
    assert (
        await page.evaluate("document.activeElement.querySelector('.name').textContent") == "discussions#show"
    )
    before = await page.evaluate("document.activeElement.parentElement.open")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.parentElement.open") is not before
    await page.keyboard.press("/")
    await page.keyboard.press("Escape")
    assert len(await page.evaluate(visible)) == 4


async def test_what_has_focus_is_seen(browser: Browser, report: Path) -> None:
    page = await shown(browser, report)
    for _ in range(4):
        await page.keyboard.press("Tab")
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
async def test_text_is_readable_and_nothing_sticks_out(
    browser: Browser, report: Path, dark: bool, width: int
) -> None:
    page = await shown(browser, report, width=width, dark=dark)
    await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    weak = await page.evaluate(CONTRAST)
    assert weak == []


async def test_it_says_what_it_is_to_those_who_do_not_see_it(browser: Browser, report: Path) -> None:
    page = await shown(browser, report)
    for landmark in ("header", "main", "footer", "form[role=search]", "html[lang=en]"):
        assert await page.evaluate(f"document.querySelectorAll('{landmark}').length") == 1, landmark
    assert await page.evaluate("[...document.querySelectorAll('th')].every(one => one.scope)")
    named = "[...document.querySelectorAll('section')].map(one => one.getAttribute('aria-labelledby'))"
    assert await page.evaluate(f"{named}.every(id => document.getElementById(id))")
    assert await page.evaluate("document.querySelector('input').labels.length") == 1
    text = await page.evaluate("document.body.innerText")
    # Outcomes, severities and the verdict are told in words, not by colour alone.
    for words in (
        "3 open findings (ERR)",
        "same by the rules",
        "one side failed",
        "not comparable",
        "ERR",
        "WARN",
    ):
        assert words in text, words


async def test_it_is_read_without_scripts(browser: Browser, report: Path) -> None:
    page = await shown(browser, report, scripts=False)
    assert await page.evaluate("document.querySelector('.find').hidden")
    assert await page.evaluate("[...document.querySelectorAll('.route')].every(one => !one.hidden)")


def test_nothing_is_loaded_from_elsewhere(report: Path) -> None:
    text = report.read_text("utf-8")
    assert re.search(r"<[^>]+\s(?:src|href)=\"(?!#)", text) is None
    assert "url(" not in text


CONTRAST = """
(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = parse(getComputedStyle(node).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const weak = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !node.offsetParent) continue;
    const [one, other] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5)
      weak.push(`${node.tagName}.${node.className} ${ratio.toFixed(2)} ${walker.currentNode.textContent}`);
  }
  return weak;
})()
"""
