# SPDX-License-Identifier: AGPL-3.0-or-later
"""Active health checks, made by the parent for all workers, of backends that have a `health` path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp
import structlog

from proxy.routing.table import Address, Backend, Table

# Rails' own health check (`/up`) is a page.
_ASK_FOR_PAGE: Final = {"Accept": "text/html"}

log = structlog.get_logger()


class AddressHealth:
    """Whether one address counts as up: after `fall` bad checks in a row it does not, after `rise` good ones it does.

    Pure; an address is up until it was seen to be down.
    """

    def __init__(self, fall: int, rise: int) -> None:
        self.up = True
        self._fall = fall
        self._rise = rise
        self._row = 0

    def checked(self, good: bool) -> bool:
        """Take a check's outcome. True when `up` changed."""
        if good == self.up:
            self._row = 0
            return False
        self._row += 1
        if self._row < (self._rise if good else self._fall):
            return False
        self.up = good
        self._row = 0
        return True


class HealthMonitor:
    """Checks every address of every backend of the running table; tells `changed` backend → up per address."""

    def __init__(self, changed: Callable[[dict[str, list[bool]]], None]) -> None:
        self._changed = changed
        self._builds: dict[tuple[str, Address], str] = {}
        self._states: dict[str, list[AddressHealth]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._table: Table | None = None

    def watch(self, table: Table) -> None:
        """Check `table`'s backends from now on. What is known of unchanged ones is kept."""
        before = {} if self._table is None else {backend.name: backend for backend in self._table.backends}
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        states: dict[str, list[AddressHealth]] = {}
        for backend in table.backends:
            known = before.get(backend.name)
            if known is not None and (known.addresses, known.health) == (backend.addresses, backend.health):
                states[backend.name] = self._states[backend.name]
            else:
                states[backend.name] = [
                    AddressHealth(backend.health.fall, backend.health.rise) for _ in backend.addresses
                ]
            if backend.health.path is not None:
                for address, state in zip(backend.addresses, states[backend.name], strict=True):
                    check = self._check(backend, address, state, backend.health.path)
                    self._tasks.append(asyncio.create_task(check))
        self._table = table
        self._states = states
        living = {(backend.name, address) for backend in table.backends for address in backend.addresses}
        self._builds = {key: build for key, build in self._builds.items() if key in living}
        self._changed(self.up())

    def up(self) -> dict[str, list[bool]]:
        """Backend → whether each of its addresses is up."""
        return {name: [state.up for state in states] for name, states in self._states.items()}

    def build_of(self, backend: str) -> str:
        """Which build of a backend runs, as its health checks say (X-Banyan-Build); several while one is deployed, ""
        where it does not say."""
        return "+".join(
            sorted({build for (name, _), build in self._builds.items() if name == backend and build})
        )

    async def close(self) -> None:
        """Stop checking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _check(self, backend: Backend, address: Address, state: AddressHealth, path: str) -> None:
        while True:
            build = await _answers(address, path, backend.health.timeout)
            good = build is not None
            if build is not None:
                self._builds[backend.name, address] = build
            if state.checked(good):
                log.warning(
                    "backend is up" if good else "backend is down",
                    backend=backend.name,
                    url=address.authority,
                )
                self._changed(self.up())
            await asyncio.sleep(backend.health.interval)


async def _answers(address: Address, path: str, seconds: float) -> str | None:
    """What GET `path` says of the build, where it is answered with 2xx or 3xx in time; else None."""
    try:
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession() as session,
            session.get(
                f"http://{address.authority}{path}", headers=_ASK_FOR_PAGE, allow_redirects=False
            ) as answer,
        ):
            return answer.headers.get("X-Banyan-Build", "")[:64] if answer.status < 400 else None
    except (OSError, TimeoutError, aiohttp.ClientError):
        return None
