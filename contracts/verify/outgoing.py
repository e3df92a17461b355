# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the application under test calls from itself: web hooks, a page to preview, an OAuth provider.

Cases name its address where the recorder listened (`RECORDED_AT`), in setup and in requests, and its settings name it
for OAuth. On another port these texts are changed on their way; the settings are the operator's to set.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

RECORDED_AT = "http://127.0.0.1:3999"

_PAGE = """<!DOCTYPE html><html><head><title>A page</title>
<meta property="og:title" content="A page"><meta property="og:description" content="To be previewed">
<meta property="og:image" content="{url}/image.png"></head><body></body></html>"""


class Listener:
    """Answers every POST with 200 and keeps it; `taken` are the posts in order, in the form of recordings."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.url = RECORDED_AT

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[Listener]:
        """Listen at an address (port 0: a free one). Raises `OSError`."""
        app = web.Application(client_max_size=64 << 20)
        app.router.add_get("/page", self._page)
        app.router.add_route("*", "/oauth/{what}", self._oauth)
        app.router.add_route("*", "/{any:.*}", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            self.url = f"http://{host}:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    def readdressed(self, text: str) -> str:
        """A text of a case with our address in the place of the recorder's."""
        return text.replace(RECORDED_AT, self.url) if self.url != RECORDED_AT else text

    async def _take(self, request: web.Request) -> web.Response:
        if request.method != "POST":
            return web.Response(status=404)
        content = await request.read()
        kind = request.headers.get("Content-Type", "")
        self.taken.append({"path": request.path_qs, "content-type": kind, "body": _body(content)})
        return web.Response(text="ok")

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text=_PAGE.format(url=self.url), content_type="text/html")

    async def _oauth(self, request: web.Request) -> web.Response:
        """An authorization code is `uid~email~name`; it serves as the access token, too. Any other is refused."""
        what = request.match_info["what"]
        told = {**request.query, **(await request.post() if request.method == "POST" else {})}
        if what == "token":
            if "~" not in str(told.get("code", "")):
                return web.json_response({"error": "invalid_grant"}, status=400)
            return web.json_response({"access_token": str(told.get("code", "")), "token_type": "Bearer"})
        if what == "profile":
            # The recorder read headers as Latin-1, and so do names that come back in them.
            sent = [text for name, text in request.raw_headers if name.lower() == b"authorization"]
            bearer = b"".join(sent).decode("latin-1").removeprefix("Bearer ")
            token = str(told.get("access_token") or told.get("oauth_token") or bearer)
            uid, email, name = [*token.split("~"), "", "", ""][:3]
            return web.json_response({"uid": uid, "email": email, "name": name})
        return web.Response(status=404)


def _body(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")
