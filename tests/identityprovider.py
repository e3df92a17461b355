# SPDX-License-Identifier: AGPL-3.0-or-later
"""Another service that knows who people are, on a loopback port: it hands out tokens for codes, and tells of whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

CODE, TOKEN = "the-code", "the-token"


@dataclass(slots=True)
class Asked:
    """A question: its path, and what came with it."""

    path: str
    form: dict[str, str]
    authorization: str | None


@dataclass(slots=True)
class IdentityProvider:
    """`tokens` and `profiles` answer in the place of what is usual, where they are set."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    tokens: web.Response | None = None
    profiles: web.Response | None = None
    may_answer: asyncio.Event | None = None
    """What answers wait for, where it is set."""
    asked: list[Asked] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[IdentityProvider]:
        """Listen on a free port."""
        app = web.Application()
        for path in ("/token", "/index.php/apps/oauth2/api/v1/token"):
            app.router.add_post(path, self._token)
        for path in ("/profile", "/ocs/v2.php/cloud/user"):
            app.router.add_get(path, self._profile)
        async with TestServer(app, host="127.0.0.1") as server:
            self.url = f"http://127.0.0.1:{server.port}"
            yield self

    @property
    def settings(self) -> dict[str, str]:
        """What an operator sets who lets people sign in by this."""
        return {
            "OAUTH_AUTH_URL": f"{self.url}/ask",
            "OAUTH_TOKEN_URL": f"{self.url}/token",
            "OAUTH_PROFILE_URL": f"{self.url}/profile",
            "OAUTH_SCOPE": "openid email",
            "OAUTH_ATTR_UID": "sub",
            "OAUTH_ATTR_NAME": "full_name",
            "OAUTH_ATTR_EMAIL": "mail",
            "OAUTH_APP_KEY": "key",
            "OAUTH_APP_SECRET": "secret",
            "NEXTCLOUD_HOST": self.url,
            "NEXTCLOUD_APP_KEY": "key",
            "NEXTCLOUD_APP_SECRET": "secret",
        }

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(Asked(request.path_qs, form, request.headers.get("Authorization")))
        if self.may_answer is not None:
            await self.may_answer.wait()
        if self.tokens is not None:
            return self.tokens
        if form.get("code") != CODE or form.get("client_secret") != "secret":
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response({"access_token": TOKEN})

    async def _profile(self, request: web.Request) -> web.Response:
        self.asked.append(Asked(request.path_qs, {}, request.headers.get("Authorization")))
        if self.profiles is not None:
            return self.profiles
        return web.json_response(self.person)
