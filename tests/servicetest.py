# SPDX-License-Identifier: AGPL-3.0-or-later
"""The services on a loopback port, with the recorded application's settings, and requests as the recorder sent them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp.test_utils import BaseTestServer, TestServer
from yarl import URL

from contracts.compare import Answer
from contracts.corpus import Corpus, Read
from services.app.application import build
from services.kernel.settings import Settings

RELEASE = "a-release"


@dataclass(slots=True)
class Service:
    """A running service."""

    server: BaseTestServer
    client: aiohttp.ClientSession
    corpus: Corpus

    async def get(
        self,
        path: str,
        actor: str = "anonymous",
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> Answer:
        """Ask as `actor`, with the cookies that were recorded; nothing is sent that is not said here."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.corpus.sessions.get(actor, {}).items())
        sent = {"Accept": "application/json", **({"Cookie": cookies} if cookies else {}), **(headers or {})}
        url = URL(f"http://127.0.0.1:{self.server.port}{path}", encoded=True)
        async with self.client.request(
            method, url, headers=sent, skip_auto_headers=["Accept-Encoding"]
        ) as answer:
            return Answer(answer.status, list(answer.headers.items()), await answer.read())

    async def replay(self, case: Read) -> Answer:
        """Ask what was asked when `case` was recorded."""
        return await self.get(case.request.path, case.actor, case.request.headers, case.request.method)


@asynccontextmanager
async def running_service(corpus: Corpus, database_url: str, **more: str) -> AsyncIterator[Service]:
    """The services on `database_url`; `more` environment variables come on top of the recorded ones."""
    now = corpus.recorded_at.isoformat()
    environment = {**corpus.env, "RELEASE": RELEASE, "BANYAN_NOW": now, "DATABASE_URL": database_url, **more}
    async with (
        TestServer(build(Settings.from_environment(environment)), host="127.0.0.1") as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False) as client,
    ):
        yield Service(server, client, corpus)
