# SPDX-License-Identifier: AGPL-3.0-or-later
"""An ordinary proxy in aiohttp: a handler, a ClientSession, a bridge for WebSockets, aiohttp's access log.

python -m loadtests.bench.peers.aiohttp_proxy PORT LEGACY_PORT PYTHON_PORT
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

_HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
)
_SESSION: Final = web.AppKey("session", aiohttp.ClientSession)


def _end_to_end(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)


def application(ports: list[int]) -> web.Application:
    """The proxy in front of local backends, in turn."""
    turn = itertools.cycle(ports)

    async def handle(request: web.Request) -> web.StreamResponse:
        url = f"http://127.0.0.1:{next(turn)}{request.raw_path}"
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await _bridge(request, url)
        headers = _end_to_end(CIMultiDict(request.headers))
        headers["X-Forwarded-For"] = request.remote or ""
        data = request.content if request.body_exists else None
        session = request.app[_SESSION]
        async with session.request(
            request.method, url, headers=headers, data=data, allow_redirects=False
        ) as answer:
            response = web.StreamResponse(
                status=answer.status, headers=_end_to_end(CIMultiDict(answer.headers))
            )
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    async def session(app: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as made:
            app[_SESSION] = made
            yield

    app = web.Application()
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", handle)
    return app


async def _bridge(request: web.Request, url: str) -> web.StreamResponse:
    to_client = web.WebSocketResponse()
    await to_client.prepare(request)
    async with request.app[_SESSION].ws_connect(url) as to_backend:
        forth = asyncio.create_task(_pump(to_client, to_backend))
        try:
            await _pump(to_backend, to_client)
        finally:
            forth.cancel()
    return to_client


async def _pump(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    sink: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    port, *backends = map(int, sys.argv[1:])
    web.run_app(
        application(backends), host="127.0.0.1", port=port, print=None, keepalive_timeout=120, backlog=4096
    )
