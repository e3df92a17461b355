# SPDX-License-Identifier: AGPL-3.0-or-later
"""The admin port: health, metrics, what runs and why, reload. Served by the parent, never by a worker.

It listens on loopback by default; anywhere else it wants a bearer token: `BANYAN_ADMIN_TOKEN`, or one of the named ones
in `BANYAN_ADMIN_TOKENS` (`/health` and `/ready` need none; the dashboard signs people in with the same tokens). Every
POST checks Host and Origin, so that a page in somebody's browser cannot reload an edge.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from proxy.app.dashboard_source import DashboardSource
from proxy.app.rollout_api import OPERATOR, rollout_routes
from proxy.dashboard.operators import Operators, OperatorsError
from proxy.dashboard.pages import ROOT, mount
from proxy.routing.explain import Question, explain
from proxy.telemetry.metrics import render

if TYPE_CHECKING:
    from proxy.app.parent import Parent
    from proxy.app.supervisor import WorkerHandle

_OPEN: Final = frozenset({"/health", "/ready"})
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_MOST_BYTES: Final = 64 * 1024 * 1024  # a batch of several 100,000 questions


class AdminError(Exception):
    """The admin port cannot be served as asked."""


def admin_application(parent: Parent, environ: Mapping[str, str] = os.environ) -> web.Application:
    """The admin port's application. Raises AdminError where it would be open to the network without a token."""
    try:
        operators = Operators.from_environment(environ)
    except OperatorsError as error:
        raise AdminError(str(error)) from None
    host = parent.options.admin[0]
    if not operators.are_known and not _is_loopback(host):
        raise AdminError(
            f"the admin port would listen on {host} for everybody: "
            "set BANYAN_ADMIN_TOKEN, or use --admin 127.0.0.1:PORT"
        )
    application = web.Application(middlewares=[_errors, _guard(operators, host)], client_max_size=_MOST_BYTES)
    admin = _Admin(parent)
    application.add_routes(
        [
            web.get("/health", admin.health),
            web.get("/ready", admin.ready),
            web.get("/metrics", admin.metrics),
            web.get("/routes", admin.routes),
            web.get("/config", admin.config),
            web.get("/stats", admin.stats),
            web.get("/comparisons", admin.comparisons),
            web.get("/explain", admin.explain_one),
            web.post("/explain", admin.explain_many),
            web.post("/reload", admin.reload),
            *rollout_routes(parent.rolling.controller, _json),
        ]
    )
    mount(application, DashboardSource(parent, parent.comparing), operators)
    return application


class _Admin:
    """The handlers."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent

    async def health(self, _request: web.Request) -> web.Response:
        """The parent lives."""
        return _json({"status": "ok"})

    async def ready(self, _request: web.Request) -> web.Response:
        """Requests are served."""
        ready = self._parent.ready
        return _json(
            {"ready": ready, "generation": self._parent.table.generation}, status=200 if ready else 503
        )

    async def metrics(self, _request: web.Request) -> web.Response:
        """Prometheus' text."""
        text = render(await self._parent.count())
        return web.Response(
            body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def routes(self, _request: web.Request) -> web.Response:
        """Every route in order of matching, with its group and share."""
        table = self._parent.table
        rows = [
            {
                "index": route.index,
                "route": route.name,
                "method": "|".join(route.methods) or "ANY",
                "path": route.pattern,
                "group": route.group.name if route.group else None,
                "percent": (0.0 if route.group.kill or table.kill else route.group.percent)
                if route.group
                else 0.0,
                "repeat": route.repeat,
            }
            for route in table.routes
        ]
        return _json({"generation": table.generation, "routes": rows})

    async def config(self, _request: web.Request) -> web.Response:
        """What runs, and what on disk was refused, with lines and reasons."""
        parent = self._parent
        rejection = parent.rejection
        return _json(
            {
                "file": str(parent.options.config),
                "generation": parent.table.generation,
                "rejected": None if rejection is None else {"errors": rejection.errors},
                "certificate": None
                if parent.certificate is None
                else {
                    "rejected": parent.certificate.rejection or None,
                    "expires": parent.certificate.expires_at,
                },
                "file_descriptors": parent.descriptors,
                "workers": [_worker(worker) for worker in parent.supervisor.workers],
                "comparing": parent.mirroring.pid,
                "backends": parent.health.up(),
                "builds": {
                    backend.name: parent.health.build_of(backend.name) for backend in parent.table.backends
                },
            }
        )

    async def stats(self, request: web.Request) -> web.Response:
        """Figures per group and side of the last `window` seconds (default: since the start)."""
        asked = request.query.get("window")
        try:
            seconds = None if asked is None else float(asked)
        except ValueError:
            raise _QuestionError("window is a number of seconds") from None
        table = self._parent.table
        shares = {group.name: 0.0 if group.kill or table.kill else group.percent for group in table.groups}
        figures = self._parent.window.figures(seconds)
        groups = {
            name: {"percent": shares.get(name), "sides": figures.get(name, {})}
            for name in {**shares, **figures}
        }
        return _json(
            {"generation": table.generation, "rejected": self._parent.rejection is not None, "groups": groups}
        )

    async def comparisons(self, _request: web.Request) -> web.Response:
        """What was compared since the comparing process began: outcomes and findings by route."""
        mirroring = self._parent.mirroring
        if mirroring.pid is None:
            return _json({"running": False, "comparisons": 0, "outcomes": {}, "endpoints": []})
        evidence = await mirroring.show()
        if evidence is None:
            message = "the comparing process did not answer in time"
            return _json({"error": "comparing-unavailable", "message": message}, status=503)
        return _json(msgspec.Raw(evidence))

    async def explain_one(self, request: web.Request) -> web.Response:
        """Which route, bucket and side one request would get, and why."""
        try:
            question = msgspec.convert(dict(request.query), Question, strict=False)
        except msgspec.ValidationError as error:
            raise _QuestionError(str(error)) from None
        return _json(self._explain(question, self._parent.available()))

    async def explain_many(self, request: web.Request) -> web.Response:
        """The same for a list of questions."""
        try:
            questions = msgspec.json.decode(await request.read(), type=list[Question], strict=False)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise _QuestionError(f"the body is a JSON list of questions: {error}") from None
        available = self._parent.available()
        return _json([self._explain(question, available) for question in questions])

    def _explain(self, question: Question, available: list[bool]) -> Any:
        parent = self._parent
        told = explain(parent.table, question, parent.reader, available)
        return {**msgspec.structs.asdict(told), "phase": parent.rolling.phase_of(told.group)}

    async def reload(self, _request: web.Request) -> web.Response:
        """Read the configuration again."""
        outcome = await self._parent.reload()
        return _json(outcome, status=200 if outcome.ok else 422)


def _worker(worker: WorkerHandle) -> dict[str, Any]:
    return {
        "pid": worker.pid,
        "generation": worker.generation,
        "stalls_ms": {cause: round(seconds * 1000, 3) for cause, seconds in worker.stalls.items()},
    }


class _QuestionError(Exception):
    """The question is malformed."""


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except _QuestionError as wrong:
        return _json({"error": "bad-request", "message": str(wrong)}, status=400)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _json(
            {"error": error.reason.lower().replace(" ", "-"), "message": error.reason}, status=error.status
        )


def _guard(operators: Operators, host: str) -> Middleware:
    """Ask for a token where there are any; check where a POST comes from. The dashboard asks for itself: its visitors
    have a cookie."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if operators.are_known and request.path not in _OPEN and not request.path.startswith(f"{ROOT}/"):
            name = operators.of_bearer(request.headers.get("Authorization", ""))
            if name is None:
                answer = _json({"error": "unauthorized", "message": "a bearer token is required"}, status=401)
                answer.headers["WWW-Authenticate"] = 'Bearer realm="banyan"'
                return answer
            request[OPERATOR] = name
        if request.method not in ("GET", "HEAD"):
            reason = _foreign(request, host, operators.are_known)
            if reason is not None:
                return _json({"error": "forbidden", "message": reason}, status=403)
        return await handler(request)

    return guard


def _foreign(request: web.Request, host: str, has_token: bool) -> str | None:
    """Why a POST may not be honoured: it came by another name (DNS rebinding) or from another origin."""
    try:
        asked = urlsplit(f"//{request.host}")
        name, port = asked.hostname, asked.port
    except ValueError:
        return "Host is malformed"
    if not has_token and name not in _LOOPBACK_NAMES and name != host:
        return "Host is not an address of this port"
    origin = request.headers.get("Origin")
    if origin is not None:
        try:
            came = urlsplit(origin)
            same = (came.hostname, came.port) == (name, port)
        except ValueError:
            same = False
        if not same:
            return "Origin is another"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _json(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value) + b"\n",
        status=status,
        headers={"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"},
    )
