# SPDX-License-Identifier: AGPL-3.0-or-later
"""What sticky canaries of others got wrong: shares that drift, users who are dropped with the share."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from proxy.routing.table import Share
from tests.proxytest.edge import InProcessEdge, two_sides

GROUPS = "things: {percent: 10, sticky: cookie, routes: [GET /things]}"
VISITORS = 400


class Crowd:
    """Visitors who keep what cookies they are given."""

    def __init__(self, edge: InProcessEdge) -> None:
        self._url = f"http://127.0.0.1:{edge.port}/things"
        self._cookies: dict[int, str] = {}

    async def visit(self) -> list[str]:
        """Each asks once; which sides answered."""
        sides = []
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            for number in range(VISITORS):
                headers = {"Cookie": self._cookies[number]} if number in self._cookies else {}
                async with session.get(self._url, headers=headers) as answer:
                    assert answer.status == 200
                    sides.append(await answer.text())
                    for cookie in answer.cookies.values():
                        self._cookies[number] = f"{cookie.key}={cookie.value}"
        return sides


@pytest.mark.parametrize("issue", ["flagger_1532", "flagger_1647"])
async def test_flagger_1532_and_1647_the_share_does_not_drift_with_cookies(
    tmp_path: Path, issue: str
) -> None:
    """However often they come back, nobody but the share's users goes to the new side: a cookie is a bucket, not a
    side, and whoever arrives later is drawn by the same share."""
    async with two_sides(tmp_path, GROUPS) as (edge, _, _):
        crowd = Crowd(edge)
        first = await crowd.visit()
        for percent in (10, 50, 10) if issue == "flagger_1532" else (10, 10, 10):
            edge.edge.install(edge.edge.table.with_shares({"things": Share(percent)}))
            sides = await crowd.visit()
            assert abs(sides.count("python") / VISITORS - percent / 100) < 0.08
            if percent == 10:
                assert sides == first


async def test_traefik_8157_at_share_zero_pinned_users_are_served_by_the_old_side(tmp_path: Path) -> None:
    """Whoever has a cookie from the time on the new side is served, not dropped, when the share is 0."""
    async with two_sides(tmp_path, GROUPS) as (edge, _, _):
        crowd = Crowd(edge)
        assert "python" in await crowd.visit()
        edge.edge.install(edge.edge.table.with_shares({"things": Share(0)}))
        assert set(await crowd.visit()) == {"legacy"}
