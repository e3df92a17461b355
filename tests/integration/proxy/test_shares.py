# SPDX-License-Identifier: AGPL-3.0-or-later
"""Shares of 100,000 users, asked of a running edge: exact enough, monotone, the same after reloads and restarts."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import aiohttp
import msgspec

from tests.proxytest.edge import EdgeProcess, edge_process, routing

USERS = 100_000
NOWHERE = "http://127.0.0.1:9"


class Answer(msgspec.Struct):
    bucket: int
    side: str


def write(file: Path, percent: float) -> None:
    file.write_text(routing(NOWHERE, NOWHERE, f"moving: {{percent: {percent}, routes: [GET /moving/:id]}}"))


async def on_the_new_side(edge: EdgeProcess) -> frozenset[int]:
    """Which users get the new side."""
    questions = msgspec.json.encode(
        [{"method": "GET", "path": "/moving/1", "user": user} for user in range(USERS)]
    )
    body = io.BytesIO(questions)
    async with (
        aiohttp.ClientSession() as session,
        session.post(edge.admin_url + "/explain", data=body) as got,
    ):
        answers = msgspec.json.decode(await got.read(), type=list[Answer])
    return frozenset(user for user, answer in enumerate(answers) if answer.side == "python")


async def test_shares(tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    steps: tuple[float, ...] = (0, 1, 10, 50, 100)
    seen: dict[float, frozenset[int]] = {}
    write(file, 0)
    async with edge_process(file, "--access-log", "off") as edge:
        for percent in steps:
            write(file, percent)
            await edge.admin("/reload", method="POST")
            seen[percent] = await on_the_new_side(edge)
    for percent, users in seen.items():
        assert abs(len(users) / USERS * 100 - percent) <= (0.5 if 0 < percent < 100 else 0)
    for lower, higher in itertools.pairwise(steps):
        assert seen[lower] <= seen[higher], f"raising {lower} to {higher} moved somebody back"
    write(file, 10)
    async with edge_process(file, "--access-log", "off") as edge:
        assert await on_the_new_side(edge) == seen[10]
