# SPDX-License-Identifier: AGPL-3.0-or-later
"""The stack around every handler, and answers as Rails writes them.

From outside to inside: the request's id (kept or made), its route, one line in the log and the metrics,
errors as Rails tells them, the address and its limits, a deadline, a database session (which can only read
where the request does not change or redeem anything, or is marked as a comparison's), parameters, the web
session, the actor. A handler gets a `Context` and answers a JSON value, or a `Reply` where it has more to say
than a document and status 200.

Answers have the bytes Rails would send: the same escapes, the same weak tag over the body, the same
caching. A client that goes to and fro between both sides keeps what it has cached. As with Rack::Deflater,
a compressed answer has no tag.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from railscompat import session as sessions
from services.kernel import locales
from services.kernel.actor import Actor, Actors
from services.kernel.address import client_address
from services.kernel.bearer import BearerTokens, token_in
from services.kernel.body import plain_texts, read_body
from services.kernel.cache import Cache
from services.kernel.clock import Clock
from services.kernel.credential import Credential
from services.kernel.db import Database, Session
from services.kernel.errors import (
    BadRequestError,
    DeadlineError,
    ForgeryError,
    InternalError,
    NoRouteError,
    PageError,
    ServiceError,
    TooManyRequestsError,
)
from services.kernel.files import StoredFiles
from services.kernel.log import Logger
from services.kernel.mail import Postman
from services.kernel.metrics import Metrics
from services.kernel.outbound import Outbound
from services.kernel.params import Params
from services.kernel.ratelimit import RateLimits
from services.kernel.redeem import Redeemer, redeem_pending
from services.kernel.routes import Route, Routes
from services.kernel.settings import Settings
from services.kernel.sideload import Catalogue, Scope, Shape, gather, render
from services.kernel.tokens import Randomness, random_uuid
from services.kernel.websession import CookieKeys, WebSession

SECURITY_HEADERS = {
    "x-frame-options": "SAMEORIGIN",
    "x-xss-protection": "1; mode=block",
    "x-content-type-options": "nosniff",
    "x-download-options": "noopen",
    "x-permitted-cross-domain-policies": "none",
    "referrer-policy": "strict-origin-when-cross-origin",
}
"""What Rails adds to every answer of a controller."""

JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"
_OUTER_JSON_TYPE = "application/json; charset=UTF-8"

_NOT_IN_REQUEST_ID = re.compile(r"[^\w\-@]", re.ASCII)
_UNROUTED = "(none)"
READING = frozenset(("GET", "HEAD"))
BUILD_HEADER = "X-Banyan-Build"
"""Tells which build answered, where the answer is compared: evidence is about a build."""

SHADOW_HEADER = "X-Banyan-Shadow"
"""Marks a request that the edge makes only to compare the answer; nothing may change by it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status, headers of its own, or a body that is no JSON."""

    body: Any = None
    """A JSON value; bytes are sent as they are; None is an empty body."""
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


def redirect(url: str) -> Reply:
    """Look elsewhere, as Rails says it."""
    headers = {"location": url, "content-type": HTML_TYPE, "cache-control": "no-cache"}
    return Reply(b"", HTTPStatus.FOUND, headers)


@dataclass(slots=True)
class Context:
    """One request, as a handler sees it."""

    request: web.Request
    body: Mapping[str, Any]
    """What a changing request says, as JSON or as a form."""
    web: WebSession
    cache: Cache
    postman: Postman
    outbound: Outbound
    params: Params
    actor: Actor
    locale: str
    db: Session
    clock: Clock
    random: Randomness
    settings: Settings
    files: StoredFiles
    catalogue: Catalogue
    redeemers: Sequence[Redeemer]
    bearers: BearerTokens | None
    """Gives tokens for API clients; None where there are none."""

    @property
    def address(self) -> str:
        """Where the request comes from."""
        return address_of(self.request)

    @property
    def now(self) -> datetime:
        """The moment, as columns have it: UTC, without saying so."""
        return self.clock().replace(tzinfo=None)

    def say(self, key: str, **values: str) -> str:
        """A text for whoever reads the answer (`services.kernel.texts`)."""
        return self.settings.texts.say(key, self.locale, **values)

    def scope(self, excluded: frozenset[str] | None = None) -> Scope:
        """What rows are told by. `excluded`, where an endpoint fixes these, is for the request's `exclude_types`."""
        if excluded is None:
            excluded = self.params.words("exclude_types")
        texts = self.settings.texts
        return Scope(self.actor.id, self.locale, self.files, self.now, excluded, texts=texts)

    async def respond(
        self,
        shape: Shape,
        rows: list[Any],
        *,
        total: int | None = None,
        scope: Scope | None = None,
        sources: Catalogue | None = None,
    ) -> dict[str, Any]:
        """`rows` with what they lead to, as Loomio answers collections.

        `total` is the number of rows before paging, None where Loomio does not count. `scope`
        stands in for the request's own. `sources` come before the catalogue's: for what Loomio tells only in
        answers of this kind.
        """
        scope = scope or self.scope()
        catalogue = {**self.catalogue, **(sources or {})}
        gathered = await gather(self.db, catalogue, shape, rows, scope)
        answer: dict[str, Any] = dict(render(catalogue, shape, rows, gathered, scope))
        answer["meta"] = {"root": shape.root, "total": total}
        return answer


Handler = Callable[[Context], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, the route that it found, and what tells who asks."""

    request: web.Request
    route: Route[Handler]
    segments: dict[str, str]
    session: WebSession
    token: str | None
    """A bearer token, where there are such and the route takes them."""


class Stack:
    """Answers requests by a table of routes."""

    def __init__(
        self,
        routes: Iterable[Route[Handler]],
        *,
        settings: Settings,
        clock: Clock,
        random: Randomness,
        database: Database,
        catalogue: Catalogue,
        redeemers: Sequence[Redeemer] = (),
        welcome: Callable[[Context], Awaitable[None]],
        cache: Cache,
        outbound: Outbound,
        metrics: Metrics,
        log: Logger,
    ) -> None:
        """Everything a request may need comes in here, once. `welcome` completes a sign-in by remember-me."""
        self._cache = cache
        self._outbound = outbound
        self._redeemers = redeemers
        self._welcome = welcome
        self._postman = Postman(settings.smtp, settings.site)
        self._routes = Routes(routes)
        self._settings = settings
        self._clock = clock
        self._random = random
        self._database = database
        self._catalogue = catalogue
        self._metrics = metrics
        self._log = log
        self._cookies = CookieKeys(settings.secret_key_base)
        self._bearers = (
            None if settings.bearer is None else BearerTokens(settings.bearer, settings.site.origin)
        )
        self._actors = Actors(clock, settings.texts, settings.b3_api_key, self._bearers)
        self._files = StoredFiles(settings.secret_key_base)
        self._limits = RateLimits(settings.rates, settings.times)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer, whatever happens, and say so in log and metrics."""
        began = time.perf_counter()
        request_id = request_id_of(request.headers.get("X-Request-Id"), self._random)
        found = self._routes.find(request.method, request.rel_url.raw_path)
        name = found[0].name if found else _UNROUTED
        asked = self._asked(request, *found) if found else None
        session = asked.session if asked else self._session(request.cookies)
        reads_only = asked is not None and can_only_read(request, asked.route, session)
        async with self._database.session(reads_only=reads_only) as db:
            code: str | None = None
            try:
                await self._count(request)
                if asked is None:
                    raise NoRouteError
                response = success(request, await self._in_time(asked, db))
                send_cookies(response, session)
            except ServiceError as error:
                code = error.code
                response = failure(request, error)
                send_cookies(response, session)
                if error.__cause__ is not None:
                    self._log.warning("unavailable", request_id=request_id, route=name, cause=str(error))
            except Exception:
                code = InternalError.code
                response = failure(request, InternalError())
                self._log.exception("internal error", request_id=request_id, route=name)
        seconds = time.perf_counter() - began
        response.headers["x-request-id"] = request_id
        response.headers["x-runtime"] = f"{seconds:.6f}"
        if SHADOW_HEADER in request.headers:
            response.headers[BUILD_HEADER] = self._settings.build
        self._note(request, response, request_id, name, code, seconds, db)
        return response

    async def _count(self, request: web.Request) -> None:
        """Turn away an address that asks too often. Raises `TooManyRequestsError`."""
        address = address_of(request)
        path = request.rel_url.raw_path
        if not await self._limits.check(request.method, path, address, self._clock(), self._cache.count):
            self._metrics.failed("uncounted")

    def _asked(self, request: web.Request, route: Route[Handler], segments: dict[str, str]) -> _Asked:
        """What a request brings. With a bearer token it brings no cookies: only one of both can be right."""
        takes_tokens = self._bearers is not None and route.takes is Credential.SESSION
        token = token_in(request.headers.get("Authorization")) if takes_tokens else None
        session = self._session({} if token is not None else request.cookies)
        return _Asked(request, route, segments, session, token)

    def _session(self, cookies: Mapping[str, str]) -> WebSession:
        is_secure = self._settings.site.is_secure
        return WebSession(self._cookies, cookies, self._clock(), random=self._random, secure=is_secure)

    async def _in_time(self, asked: _Asked, db: Session) -> Reply:
        """The handler's reply. Raises `DeadlineError` where it takes longer than a request may."""
        try:
            async with asyncio.timeout(self._settings.deadline) as limit:
                return await self._answer(asked, db)
        except TimeoutError as error:
            if limit.expired():
                raise DeadlineError from error
            raise

    async def _answer(self, asked: _Asked, db: Session) -> Reply:
        request, route = asked.request, asked.route
        body = await read_body(request)
        by_cookies = route.takes.is_persons and asked.token is None
        if request.method not in READING and by_cookies and route.is_guarded:
            check_forgery(request, asked.session, body)
        context = await self._context(asked, body, db)
        if route.takes.is_persons:
            await self._complete(context)
        answer = await route.handler(context)
        return answer if isinstance(answer, Reply) else Reply(answer)

    async def _complete(self, context: Context) -> None:
        """What signing in left to be done."""
        if context.actor.is_remembered and not context.db.reads_only:
            await self._welcome(context)
        elif context.actor.id is not None:
            await redeem_pending(context, self._redeemers, context.actor.id)

    async def _context(self, asked: _Asked, body: Mapping[str, Any], db: Session) -> Context:
        request, takes = asked.request, asked.route.takes
        params = Params(request.rel_url.raw_query_string, {**plain_texts(body), **asked.segments})
        if asked.token is not None:
            actor = await self._actors.of_bearer(db, asked.token)
        else:
            actor = await self._actors.find(takes, db, asked.session, params)
        locale = locales.DEFAULT  # Loomio speaks English to programs
        if takes.is_persons:
            account = actor.account
            if account and account.email is not None and self._settings.spam.search(account.email):
                raise BadRequestError
            locale = locales.preferred(
                params.text("locale"),
                account.selected_locale if account else None,
                request.headers.get("Accept-Language"),
                account.detected_locale if account else None,
            )
        return Context(
            request,
            body,
            asked.session,
            self._cache,
            self._postman,
            self._outbound,
            params,
            actor,
            locale,
            db,
            self._clock,
            self._random,
            self._settings,
            self._files,
            self._catalogue,
            self._redeemers,
            self._bearers,
        )

    def _note(
        self,
        request: web.Request,
        response: web.Response,
        request_id: str,
        route: str,
        code: str | None,
        seconds: float,
        db: Session,
    ) -> None:
        self._metrics.answered(route, response.status, seconds, db.queries)
        if code is not None:
            self._metrics.failed(code)
        if not self._settings.log_requests:
            return
        self._log.info(
            "request",
            request_id=request_id,
            method=request.method,
            route=route,
            status=response.status,
            error=code,
            ms=round(seconds * 1000, 2),
            queries=db.queries,
            db_ms=round(db.seconds * 1000, 2),
        )


def address_of(request: web.Request) -> str:
    """Where a request comes from, behind the edge and whatever stands before it."""
    return client_address(request.remote, request.headers.get("X-Forwarded-For"))


def can_only_read(request: web.Request, route: Route[Handler], session: WebSession) -> bool:
    """Whether a request gets a database that refuses to write.

    It does where it is marked as a comparison's, and where it reads and brings nothing that is redeemed or
    signs in first.
    """
    if SHADOW_HEADER in request.headers:
        return True
    if request.method not in READING or route.writes:
        return False
    if not route.takes.is_persons:
        return True
    redeems = "_token=" in request.rel_url.raw_query_string or any(
        isinstance(key, str) and key.startswith("pending_") for key in session.values
    )
    signs_in = sessions.REMEMBER_COOKIE in session.cookies and sessions.USER_KEY not in session.values
    return not redeems and not signs_in


def request_id_of(given: str | None, random: Randomness) -> str:
    """The id that came with the request, cleaned as Rails cleans it, or a new one."""
    return _NOT_IN_REQUEST_ID.sub("", given or "")[:255] or random_uuid(random)


def encode(value: Any) -> bytes:
    """JSON in Rails' spelling: fit to stand in a page, and in a script."""
    text = msgspec.json.encode(value)
    for raw, escaped in _ESCAPES:
        if raw in text:
            text = text.replace(raw, escaped)
    return text


_ESCAPES = (
    (b"<", rb"\u003c"),
    (b">", rb"\u003e"),
    (b"&", rb"\u0026"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)


def check_forgery(request: web.Request, session: WebSession, body: Mapping[str, Any]) -> None:
    """Refuse a changing request that another site made. Raises `ForgeryError`."""
    parameter = body.get("authenticity_token")
    if not session.is_verified(
        request.headers.get("X-CSRF-Token"),
        parameter if isinstance(parameter, str) else None,
        path=request.rel_url.raw_path,
        method=request.method,
    ):
        raise ForgeryError


def send_cookies(response: web.Response, session: WebSession) -> None:
    """Set what was changed."""
    for line in session.set_cookie_lines():
        response.headers.add("set-cookie", line)


def success(request: web.Request, reply: Reply) -> web.Response:
    """A controller's answer: tagged, or compressed where the client takes that; 304 where it has this one already."""
    headers: dict[str, str] = {**SECURITY_HEADERS}
    if reply.status == HTTPStatus.NO_CONTENT:
        return web.Response(status=reply.status, headers=headers | {"cache-control": "no-cache"})
    body = reply.body if isinstance(reply.body, bytes) else encode(reply.body)
    headers |= {"content-type": JSON_TYPE, "vary": "Accept-Encoding"}
    if reply.status != HTTPStatus.OK:
        headers |= {"cache-control": "no-cache", **reply.headers}
        return web.Response(status=reply.status, body=body, headers=headers)
    if accepts_gzip(request.headers.get("Accept-Encoding")):
        headers |= {"content-encoding": "gzip", "cache-control": "no-cache", **reply.headers}
        return web.Response(body=gzip.compress(body, 6, mtime=0), headers=headers)
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers |= {"etag": tag, "cache-control": "max-age=0, private, must-revalidate", **reply.headers}
    is_read = request.method in READING
    if is_read and tag in (request.headers.get("If-None-Match") or "").split(", "):
        del headers["content-type"]
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return web.Response(body=body, headers=headers)


def failure(request: web.Request, error: ServiceError) -> web.Response:
    """An error: within a controller with its headers, else bare; a page only where nothing is routed."""
    if isinstance(error, NoRouteError) and not wants_json(request):
        page = f"<!DOCTYPE html><title>{error.status.phrase}</title><h1>{error.status.phrase}</h1>"
        return web.Response(status=error.status, text=page, content_type="text/html")
    if isinstance(error, TooManyRequestsError):
        return web.Response(status=error.status, text="Retry later\n", headers=error.headers)
    body, kind = encode(error.body()), JSON_TYPE
    if not error.from_controller:
        headers = {"content-type": _OUTER_JSON_TYPE, **error.headers}
        return web.Response(status=error.status, body=body, headers=headers)
    if isinstance(error, PageError) and not wants_json(request):
        body, kind = error.page, HTML_TYPE
    headers = {
        **SECURITY_HEADERS,
        "content-type": kind,
        "vary": "Accept-Encoding",
        "cache-control": "no-cache",
    }
    if accepts_gzip(request.headers.get("Accept-Encoding")):
        headers["content-encoding"] = "gzip"
        body = gzip.compress(body, 6, mtime=0)
    return web.Response(status=error.status, body=body, headers=headers | error.headers)


def wants_json(request: web.Request) -> bool:
    """Whether Rails would take the request for one of JSON, by its path or its `Accept`."""
    return (
        request.rel_url.raw_path.endswith(".json")
        or "json" in request.headers.get("Accept", "").split(",")[0]
    )


def accepts_gzip(header: str | None) -> bool:
    """Whether `Accept-Encoding` names gzip, and does not prefer the plain form."""
    weights: dict[str, float] = {}
    for part in (header or "").split(","):
        name, _, parameter = part.strip().partition(";")
        try:
            weights[name.strip().lower()] = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            weights[name.strip().lower()] = 0.0
    weight = weights.get("gzip", weights.get("*", 0.0))
    return weight > 0 and weight >= weights.get("identity", 0.0)
