# SPDX-License-Identifier: AGPL-3.0-or-later
"""The dashboard in a real Chromium, in both themes: nothing complains, it is readable, and it works by keyboard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from proxy.dashboard.operators import Operators
from proxy.dashboard.pages import mount
from tests.dashboardsource import FINDING, NOW, SeededSource

PAGES = (
    "",
    "units/reactions-reads",
    "routes/events%23index",
    f"findings/{FINDING.fingerprint}",
    "journal",
    "config",
    "replicas",
)
# The contrast of each text with what is behind it, by WCAG 2: the least, with the text it belongs to.
CONTRAST = """() => {
  const channel = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const parse = c => {
    const m = c.match(/[\\d.]+/g).map(Number);
    return { rgb: m.slice(0, 3), a: m.length > 3 ? m[3] : 1 };
  };
  const light = rgb => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.a) return c.rgb;
    }
    return [255, 255, 255];
  };
  let worst = [99, ""];
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join("");
    if (!text || !node.getClientRects().length) continue;
    const style = getComputedStyle(node), svg = node.namespaceURI.includes("svg");
    const a = light(parse(svg ? style.fill : style.color).rgb), b = light(behind(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, text];
  }
  return worst;
}"""


class Shown:
    """A page of a dashboard, and what its console complained of."""

    def __init__(self, root: str, source: SeededSource, page: Page) -> None:
        self.root = root
        self.source = source
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.root}{path}")


@pytest.fixture(params=["light", "dark"])
async def shown(request: pytest.FixtureRequest, browser: Browser) -> AsyncIterator[Shown]:
    source = SeededSource()
    application = web.Application()
    mount(application, source, Operators({}), lambda: NOW)
    async with TestServer(application, host="127.0.0.1") as server:
        page = await browser.new_page(color_scheme=request.param)
        yield Shown(str(server.make_url("/dashboard/")), source, page)
        await page.close()


async def test_every_page_is_readable_and_nothing_complains(shown: Shown) -> None:
    for path in PAGES:
        await shown.open(path)
        ratio, text = await shown.page.evaluate(CONTRAST)
        assert ratio >= 4.5, (path, text, ratio)
        await expect(shown.page.locator("h1")).to_have_count(1)
        assert await shown.page.evaluate("document.documentElement.lang") == "en"
        await shown.page.set_viewport_size({"width": 400, "height": 800})
        wide = await shown.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, path
        await shown.page.set_viewport_size({"width": 1280, "height": 900})
    assert not shown.complaints


async def test_an_operator_pauses_a_unit_by_keyboard(shown: Shown) -> None:
    await shown.open("")
    await shown.page.keyboard.press("Tab")
    await expect(shown.page.get_by_text("Skip to content")).to_be_focused()
    await shown.page.get_by_role("link", name="reactions-reads").focus()
    await shown.page.keyboard.press("Enter")
    await shown.page.get_by_label("Why").focus()
    await shown.page.keyboard.type("lunch")
    await shown.page.keyboard.press("Tab")
    await expect(shown.page.get_by_role("button", name="Pause")).to_be_focused()
    await shown.page.keyboard.press("Enter")
    await expect(shown.page.get_by_role("status").filter(has_text="pause reactions-reads")).to_be_visible()
    assert shown.source.acted == [("reactions-reads", "pause", "local", "lunch")]
    assert not shown.complaints


async def test_an_open_page_shows_what_happens_elsewhere(shown: Shown) -> None:
    await shown.open("")
    row = shown.page.get_by_role("row").filter(has_text="reactions-reads")
    await expect(row.locator(".phase")).to_have_text("Ramping")
    await expect(shown.page.locator("#live-state")).to_have_text("live")
    await shown.source.act("reactions-reads", "kill", "somebody", "")
    await expect(row.locator(".phase")).to_have_text("Killed", timeout=20_000)


async def test_reading_works_without_javascript(browser: Browser, shown: Shown) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{shown.root}units/reactions-reads")
    await expect(page.get_by_role("heading", name="Gates")).to_be_visible()
    await page.get_by_role("button", name="Kill").click()
    await expect(page.get_by_role("status").filter(has_text="kill reactions-reads")).to_be_visible()
    await context.close()
