# SPDX-License-Identifier: AGPL-3.0-or-later
"""The services on a loopback port, with the recorded application's settings, and requests as the recorder sent them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
from aiohttp.test_utils import BaseTestServer, TestServer
from yarl import URL

from contracts.compare import Answer
from contracts.corpus import Corpus, Read
from railscompat import devise
from railscompat import session as sessions
from railscompat.cookies import NONCE_BYTES, EncryptedCookies
from railscompat.marshal import Value
from services.app.application import build
from services.kernel.settings import Settings
from services.kernel.tokens import Randomness, system_randomness

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
        actor: str | Mapping[str, str] = "anonymous",
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> Answer:
        """Ask as `actor`: a recorded name, or cookies. Nothing is sent that is not said; no redirect is followed."""
        jar = self.corpus.sessions.get(actor, {}) if isinstance(actor, str) else actor
        cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
        sent = {"Accept": "application/json", **({"Cookie": cookies} if cookies else {}), **(headers or {})}
        url = URL(f"http://127.0.0.1:{self.server.port}{path}", encoded=True)
        async with self.client.request(
            method, url, headers=sent, skip_auto_headers=["Accept-Encoding"], allow_redirects=False
        ) as answer:
            return Answer(answer.status, list(answer.headers.items()), await answer.read())

    async def json(self, path: str, actor: str | Mapping[str, str] = "anonymous") -> Any:
        """The document of a successful answer."""
        answer = await self.get(path, actor)
        assert answer.status == 200, answer.body
        return msgspec.json.decode(answer.body)

    async def status(self, path: str, actor: str | Mapping[str, str] = "anonymous") -> int:
        """The status of an answer."""
        return (await self.get(path, actor)).status

    def signed_in(self, user_id: int, password: str, **more: Value) -> dict[str, str]:
        """The cookies of somebody signed in."""
        return session_cookies(self.corpus.env["SECRET_KEY_BASE"], user_id, password, **more)

    async def replay(self, case: Read) -> Answer:
        """Ask what was asked when `case` was recorded."""
        return await self.get(case.request.path, case.actor, case.request.headers, case.request.method)


@asynccontextmanager
async def running_service(corpus: Corpus, database_url: str, **more: str) -> AsyncIterator[Service]:
    """The services on `database_url`; `more` environment variables come on top of the recorded ones."""
    now = corpus.recorded_at.isoformat()
    environment = {**corpus.env, "RELEASE": RELEASE, "BANYAN_NOW": now, "DATABASE_URL": database_url, **more}
    async with serving(corpus, environment) as service:
        yield service


@asynccontextmanager
async def serving(
    corpus: Corpus, environment: Mapping[str, str], random: Randomness = system_randomness
) -> AsyncIterator[Service]:
    """The services with this environment, and this chance."""
    async with (
        TestServer(build(Settings.from_environment(environment), random), host="127.0.0.1") as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False) as client,
    ):
        yield Service(server, client, corpus)


def is_of_a_request(label: str) -> bool:
    """Whether a statement (by `Statement.label`) was run for a request: the outbox is looked at by itself."""
    return not label.startswith("outbox.")


def session_cookies(secret: str, user_id: int, password: str, **more: Value) -> dict[str, str]:
    """The cookies of somebody signed in with this encrypted password, as Rails would have set them."""
    session: Value = {
        "session_id": "0123456789abcdef",
        sessions.USER_KEY: [[user_id], devise.authenticatable_salt(password)],
        **more,
    }
    nonce = secrets.token_bytes(NONCE_BYTES)
    return {
        sessions.SESSION_COOKIE: EncryptedCookies(secret).encrypt(
            sessions.SESSION_COOKIE, session, nonce=nonce
        )
    }
