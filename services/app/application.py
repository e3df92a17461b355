# SPDX-License-Identifier: AGPL-3.0-or-later
"""All verticals in one aiohttp application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from services.boot import handlers as boot
from services.discussions import redeem as guests
from services.groups import handlers as groups
from services.groups import memberships
from services.groups import redeem as members
from services.groups import store as group_store
from services.kernel.cache import Cache
from services.kernel.clock import clock_from
from services.kernel.db import Database
from services.kernel.http import BUILD_HEADER, Handler, Stack
from services.kernel.log import logger
from services.kernel.metrics import Metrics
from services.kernel.outbound import Outbound
from services.kernel.outbox import Publisher, redis_at
from services.kernel.readiness import readiness
from services.kernel.redeem import Redeemer
from services.kernel.routes import Route
from services.kernel.settings import Settings
from services.kernel.sideload import Catalogue
from services.kernel.sql import Statement
from services.kernel.tokens import Randomness, system_randomness
from services.polls import redeem as voters
from services.reactions import handlers as reactions
from services.sessions import bearers, identities, providers, saml
from services.sessions import handlers as sessions
from services.users import accounts
from services.users import handlers as users
from services.users import store as people
from services.versions import handlers as versions

ROUTES: tuple[Route[Handler], ...] = (
    *boot.ROUTES,
    *groups.ROUTES,
    *memberships.ROUTES,
    *users.ROUTES,
    *accounts.ROUTES,
    *reactions.ROUTES,
    *versions.ROUTES,
    *sessions.ROUTES,
    *identities.ROUTES,
    *saml.ROUTES,
    *bearers.ROUTES,
)
"""Every route, in Rails' order."""

CATALOGUE: Catalogue = {**people.SOURCES, **group_store.SOURCES}
"""Where edges lead."""

REDEEMERS: tuple[Redeemer, ...] = (
    *sessions.REDEEMERS,
    *members.REDEEMERS,
    *guests.REDEEMERS,
    *voters.REDEEMERS,
)
"""What waits for somebody to be signed in, in Loomio's order."""

LONGEST_LINE = 16 * 1024
"""Bytes of a request line or header: more than Puma takes."""

DATABASE = web.AppKey("database", Database)
CACHE = web.AppKey("cache", Cache)
METRICS = web.AppKey("metrics", Metrics)
BUILD = web.AppKey("build", str)


def build(settings: Settings, random: Randomness = system_randomness) -> web.Application:
    """The application; its database pool opens when it starts and closes when it is cleaned up."""
    app = web.Application()
    app[METRICS] = Metrics()
    app[BUILD] = settings.build

    async def life(app: web.Application) -> AsyncIterator[None]:
        async with (
            Database.open(settings.database, tell_slow) as database,
            Cache.open(settings.redis_url) as cache,
            Outbound.open(providers.hosts(settings.environment)) as outbound,
            _publishing(settings, database),
        ):
            app[DATABASE] = database
            app[CACHE] = cache
            stack = Stack(
                ROUTES,
                settings=settings,
                clock=clock_from(settings.starts_at),
                random=random,
                database=database,
                catalogue=CATALOGUE,
                redeemers=REDEEMERS,
                welcome=sessions.welcome,
                cache=cache,
                outbound=outbound,
                metrics=app[METRICS],
                log=logger(),
            )
            app[_STACK] = stack
            yield

    app.cleanup_ctx.append(life)
    app.on_response_prepare.append(_without_server)
    app.router.add_get("/health", health)
    app.router.add_get("/ready", ready)
    app.router.add_route("*", "/{path:.*}", _handle)
    return app


_STACK = web.AppKey("stack", Stack)


@asynccontextmanager
async def _publishing(settings: Settings, database: Database) -> AsyncIterator[None]:
    """Tell Redis what requests leave in the outbox, as soon as they commit; at the end what is left."""
    stop = asyncio.Event()
    async with redis_at(settings.redis_url) as cache, redis_at(settings.redis_queue_url) as queue:
        publishing = asyncio.create_task(Publisher(database, cache, queue, logger()).run(stop))
        try:
            yield
        finally:
            stop.set()
            await publishing


async def _without_server(_request: web.Request, response: web.StreamResponse) -> None:
    """Rails sends no `Server` header, and versions are nobody's business."""
    response.headers.popall("Server", None)


async def _handle(request: web.Request) -> web.Response:
    return await request.app[_STACK].handle(request)


async def health(request: web.Request) -> web.Response:
    """Whether the process answers at all, and which build it is: with another the edge's evidence begins anew."""
    return web.json_response({"status": "ok"}, headers={BUILD_HEADER: request.app[BUILD]})


async def ready(request: web.Request) -> web.Response:
    """Whether requests can be answered: PostgreSQL is there, with schema `banyan`. Redis is reported only: most
    answers need none.
    """
    found, cache = await asyncio.gather(readiness(request.app[DATABASE]), request.app[CACHE].is_there())
    told = {**found.told(), "redis": "ok" if cache else "away"}
    if found.is_ready:
        return web.json_response({"status": "ok", **told})
    return web.json_response({"status": "unavailable", **told}, status=503, headers={"Retry-After": "1"})


def tell_slow(statement: Statement, seconds: float, rows: int) -> None:
    """Log a statement that took long, by its name: its values are people's."""
    logger().warning("slow query", statement=statement.label, ms=round(seconds * 1000, 1), rows=rows)
