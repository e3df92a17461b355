# SPDX-License-Identifier: AGPL-3.0-or-later
"""A browser without a screen: it follows links, sends forms, and keeps cookies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from yarl import URL

from contracts.compare import Answer
from railscompat import session as sessions
from railscompat.cookies import EncryptedCookies
from tests.servicetest import Service


@dataclass(slots=True)
class Browser:
    """Somebody's browser; `jar` holds cookies by their names."""

    service: Service
    jar: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Answer:
        """Follow a link. Redirects are told, not followed."""
        return await self._ask("GET", path, headers, None)

    async def submit(self, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        """Send a form, as it would stand on a page of another site: no token comes with it."""
        return await self._ask("POST", path, headers, form)

    @property
    def session(self) -> dict[Any, Any]:
        """What the session holds."""
        cookies = EncryptedCookies(self.service.corpus.env["SECRET_KEY_BASE"])
        now = self.service.corpus.recorded_at
        value = cookies.decrypt(sessions.SESSION_COOKIE, self.jar[sessions.SESSION_COOKIE], now=now)
        assert isinstance(value, dict)
        return value

    @property
    def user_id(self) -> int | None:
        """Who is signed in."""
        key = sessions.user_of(self.session)
        return key.id if key else None

    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        sent = {"Accept": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.jar:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        url = URL(f"http://127.0.0.1:{self.service.server.port}{path}", encoded=True)
        async with self.service.client.request(
            method, url, data=form, headers=sent, allow_redirects=False, skip_auto_headers=["Accept-Encoding"]
        ) as response:
            answer = Answer(response.status, list(response.headers.items()), await response.read())
        for name, line in answer.headers:
            if name.lower() == "set-cookie":
                key, value = line.split(";")[0].split("=", 1)
                self.jar[key] = value
        return answer


def header(answer: Answer, name: str) -> str | None:
    """A header of an answer; `name` in lower case."""
    return next((value for key, value in answer.headers if key.lower() == name), None)
