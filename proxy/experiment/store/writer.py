# SPDX-License-Identifier: AGPL-3.0-or-later
"""Carries a tally to the store, one batch at a time, and outlives PostgreSQL's restarts.

A batch that was not written stays and is sent again under its own id; meanwhile the tally goes on adding up within its
bounds. So memory is bounded however long PostgreSQL is away, and what is lost in the end is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from proxy.experiment.evidence import Batch, Loss
from proxy.experiment.store.errors import StoreError
from proxy.experiment.store.keep import Keep
from proxy.experiment.store.store import Store
from proxy.experiment.tally import Tally

_AGAIN = 0.1
"""Seconds between attempts at the end."""


class Written(msgspec.Struct):
    """What a writer has done, for metrics."""

    comparisons: int = 0
    batches: int = 0
    lost: int = 0
    """Comparisons that are counted nowhere."""
    failures: dict[str, int] = {}
    """Attempts that failed, by the error's code."""


class Writer:
    """Belongs to the loop that owns the tally."""

    def __init__(
        self,
        tally: Tally,
        store: Store,
        *,
        now: Callable[[], float],
        keep: Keep | None = None,
        every: float = 1.0,
        expire_every: float = 3600.0,
        failed: Callable[[StoreError], None] = lambda _: None,
    ) -> None:
        """`now` answers seconds since 1970; `failed` is told of every attempt that failed."""
        self._tally = tally
        self._store = store
        self._now = now
        self._keep = keep or Keep()
        self._every = every
        self._expire_every = expire_every
        self._failed = failed
        self._pending: Batch | None = None
        self.written = Written()

    async def run(self) -> None:
        """Write every so often, and let old evidence go, until cancelled; then call `close`."""
        last_expired = 0.0
        while True:
            await asyncio.sleep(self._every)
            if await self.flush() and self._now() - last_expired >= self._expire_every:
                last_expired = self._now()
                await self._expire()

    async def flush(self) -> bool:
        """Write what there is; whether nothing is left to be written."""
        batch = self._pending or self._tally.take()
        if batch.empty:
            return True
        self._pending = batch
        try:
            await self._store.write(batch)
        except StoreError as error:
            self._note(error)
            if not error.passing:
                self._give_up(batch)
            return False
        self._pending = None
        self.written.batches += 1
        self.written.comparisons += batch.comparisons
        return True

    async def close(self, seconds: float = 5.0) -> None:
        """Write what is left, within so many seconds; what can't be written is counted as lost."""
        try:
            async with asyncio.timeout(seconds):
                # At most two batches: the one that waited, and what came since.
                for _ in range(2):
                    while not await self.flush():  # noqa: ASYNC110 - nobody tells when PostgreSQL is back
                        await asyncio.sleep(_AGAIN)
        except TimeoutError:
            pass
        left = [self._pending, self._tally.take()]
        self._pending = None
        self.written.lost += sum(batch.comparisons for batch in left if batch is not None)

    def _give_up(self, batch: Batch) -> None:
        self._pending = None
        self.written.lost += batch.comparisons
        self._tally.add_lost(Loss.COMPARISONS, batch.comparisons, self._now())

    async def _expire(self) -> None:
        try:
            await self._store.expire(self._now(), self._keep)
        except StoreError as error:
            self._note(error)

    def _note(self, error: StoreError) -> None:
        self.written.failures[error.code] = self.written.failures.get(error.code, 0) + 1
        self._failed(error)
