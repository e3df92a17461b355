# SPDX-License-Identifier: AGPL-3.0-or-later
"""Web hooks: rollbacks, kills and confirm gates are told to addresses of the operator's, as JSON by POST.

Nothing waits for them. Each address has its own line of at most 100 notices; one that cannot be delivered is tried for
about five minutes, then dropped, logged and counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

import aiohttp
import msgspec
import structlog

from proxy.rollout.ports import Notice

_MOST: Final = 100
_PATIENCE: Final = 5.0
_PAUSES: Final = (1, 2, 4, 8, 15, 30, 60, 60, 60, 60)

log = structlog.get_logger()


class Announcer:
    """`counted`: outcome (`delivered`, `failed`, `dropped`) → how often."""

    def __init__(self, pauses: Sequence[float] = _PAUSES) -> None:
        self.counted: Counter[str] = Counter()
        self._pauses = pauses
        self._lines: dict[str, asyncio.Queue[Notice]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def configure(self, urls: Sequence[str]) -> None:
        """Tell these addresses from now on. Needs a running loop."""
        for url in self._tasks.keys() - set(urls):
            self._tasks.pop(url).cancel()
            del self._lines[url]
        for url in urls:
            if url not in self._tasks:
                self._lines[url] = asyncio.Queue(_MOST)
                self._tasks[url] = asyncio.get_running_loop().create_task(
                    self._deliver(url, self._lines[url])
                )

    def tell(self, notice: Notice) -> None:
        """Put a notice in line; never blocks."""
        log.warning(
            f"rollout: {notice.kind}",
            unit=notice.unit,
            share_from=notice.share_from,
            share_to=notice.share_to,
            by=notice.by,
            reason=notice.reason,
        )
        for line in self._lines.values():
            try:
                line.put_nowait(notice)
            except asyncio.QueueFull:
                self.counted["dropped"] += 1

    async def _deliver(self, url: str, line: asyncio.Queue[Notice]) -> None:
        timeout = aiohttp.ClientTimeout(total=_PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                notice = await line.get()
                for pause in (*self._pauses, None):
                    if await _post(session, url, notice):
                        self.counted["delivered"] += 1
                        break
                    if pause is None:
                        self.counted["failed"] += 1
                        log.error("web hook not delivered", kind=notice.kind, unit=notice.unit)
                        break
                    await asyncio.sleep(pause)

    async def close(self) -> None:
        """Stop telling."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


async def _post(session: aiohttp.ClientSession, url: str, notice: Notice) -> bool:
    try:
        async with session.post(
            url, data=msgspec.json.encode(notice), headers={"Content-Type": "application/json"}
        ) as answer:
            return answer.status < 300
    except (OSError, TimeoutError, aiohttp.ClientError):
        return False
