# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages, their JSON twins, and the forms. Mount with `dashboard_routes`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from importlib import resources
from typing import Any, Final, NoReturn
from urllib.parse import quote

import aiohttp_jinja2
import jinja2
import msgspec
from aiohttp import web

from proxy.dashboard import svg, words
from proxy.dashboard.operators import COOKIE, COOKIE_SECONDS, LOCAL, Operators
from proxy.dashboard.readmodel import Source

ROOT: Final = "/dashboard"
ACTIONS: Final = ("start", "pause", "resume", "confirm", "back", "kill", "unkill")
WHOLE_ACTIONS: Final = ("freeze", "thaw")
SECURITY: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_TICK_SECONDS: Final = 2.0
_JOURNAL_ROWS: Final = 200
_STATIC: Final = {"style.css": "text/css", "live.js": "text/javascript"}

Now = Callable[[], float]


class Dashboard:
    """The handlers."""

    def __init__(self, source: Source, operators: Operators, now: Now = time.time) -> None:
        """`now`: seconds since 1970."""
        self._source = source
        self._operators = operators
        self._now = now

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application."""
        return [
            web.get(ROOT, self._to_overview),
            web.get(f"{ROOT}/", self._overview),
            web.get(f"{ROOT}/{{page:overview|journal|config|replicas}}{{twin:(\\.json)?}}", self._plain_page),
            web.get(f"{ROOT}/units/{{name}}", self._unit),
            web.get(f"{ROOT}/routes/{{name:.+}}", self._endpoint),
            web.get(f"{ROOT}/findings/{{name}}", self._finding),
            web.get(f"{ROOT}/live", self._live),
            web.get(f"{ROOT}/sign-in", self._sign_in_form),
            web.post(f"{ROOT}/sign-in", self._sign_in),
            web.post(f"{ROOT}/sign-out", self._sign_out),
            web.post(f"{ROOT}/act", self._act),
            web.get(f"{ROOT}/static/{{name}}", self._static),
        ]

    # -- reading ----------------------------------------------------------------------------------------------

    async def _to_overview(self, _request: web.Request) -> NoReturn:
        raise web.HTTPFound(f"{ROOT}/")

    async def _overview(self, request: web.Request) -> web.Response:
        return self._answer(request, "overview", await self._source.overview())

    async def _plain_page(self, request: web.Request) -> web.Response:
        page = request.match_info["page"]
        twin = bool(request.match_info["twin"])
        model: Any
        if page == "overview":
            model = await self._source.overview()
        elif page == "journal":
            model = await self._source.journal(request.query.get("unit") or None, _JOURNAL_ROWS)
        elif page == "config":
            model = await self._source.config()
        else:
            model = await self._source.replicas()
        return self._answer(request, page, model, twin=twin)

    async def _unit(self, request: web.Request) -> web.Response:
        name, twin = _twin(request)
        return self._answer(request, "unit", await self._source.unit(name), twin=twin)

    async def _endpoint(self, request: web.Request) -> web.Response:
        name, twin = _twin(request)
        return self._answer(request, "endpoint", await self._source.endpoint(name), twin=twin)

    async def _finding(self, request: web.Request) -> web.Response:
        name, twin = _twin(request)
        return self._answer(request, "finding", await self._source.finding(name), twin=twin)

    def _answer(self, request: web.Request, page: str, model: Any, *, twin: bool = False) -> web.Response:
        who = self._who(request)
        if who is None:
            if twin:
                return _refusal("unauthorized", "a token is required", 401)
            raise web.HTTPFound(f"{ROOT}/sign-in?next={quote(request.path)}", headers=SECURITY)
        if model is None:
            if twin:
                return _refusal("not-found", "there is no such thing", 404)
            return self._render(request, "missing", {}, who, status=404)
        if twin:
            return web.Response(
                body=msgspec.json.encode(model) + b"\n", content_type="application/json", headers=SECURITY
            )
        return self._render(request, page, model, who)

    def _render(
        self, request: web.Request, page: str, model: Any, who: str | None, *, status: int = 200, **more: Any
    ) -> web.Response:
        cookie = request.cookies.get(COOKIE, "")
        context = {
            "root": ROOT,
            "page": page,
            "model": model,
            "who": who,
            "signs_in": self._operators.are_known,
            "form_token": self._operators.form_token(cookie) if who else "",
            "now": self._now(),
            "twin": _twin_of(request),
            "told": request.query.get("told", ""),
            **more,
        }
        response = aiohttp_jinja2.render_template(f"{page}.html", request, context, app_key=_JINJA)
        response.set_status(status)
        response.headers.update(SECURITY)
        return response

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _STATIC:
            raise web.HTTPNotFound
        text = resources.files("proxy.dashboard").joinpath("static", name).read_text("utf-8")
        headers = {**SECURITY, "Cache-Control": "max-age=60"}
        return web.Response(text=text, content_type=_STATIC[name], charset="utf-8", headers=headers)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """An event whenever pages may show something else. Says nothing of what."""
        if self._who(request) is None:
            return _refusal("unauthorized", "a token is required", 401)
        headers = {**SECURITY, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        version: object = None
        with contextlib.suppress(ConnectionError):
            while True:
                current = self._source.version()
                event = b": still here\n\n" if current == version else b"event: changed\ndata: 1\n\n"
                version = current
                await response.write(event)
                await asyncio.sleep(_TICK_SECONDS)
        return response

    # -- who --------------------------------------------------------------------------------------------------

    def _who(self, request: web.Request) -> str | None:
        if not self._operators.are_known:
            return LOCAL
        bearer = request.headers.get("Authorization")
        if bearer is not None:
            return self._operators.of_bearer(bearer)
        return self._operators.of_cookie(request.cookies.get(COOKIE, ""), self._now())

    async def _sign_in_form(self, request: web.Request) -> web.Response:
        return self._render(request, "sign_in", {}, None, next=_inside(request.query.get("next", "")))

    async def _sign_in(self, request: web.Request) -> web.Response:
        form = await request.post()
        following = _inside(str(form.get("next", "")))
        name = self._operators.of_token(str(form.get("token", "")))
        if name is None:
            await self._source.refused("", "sign-in", "", "wrong token")
            return self._render(request, "sign_in", {}, None, status=403, next=following, wrong=True)
        answer = web.HTTPSeeOther(following, headers=SECURITY)
        answer.set_cookie(
            COOKIE,
            self._operators.cookie_for(name, self._now()),
            max_age=COOKIE_SECONDS,
            path=ROOT,
            httponly=True,
            samesite="Strict",
            secure=request.secure or request.headers.get("X-Forwarded-Proto") == "https",
        )
        raise answer

    async def _sign_out(self, request: web.Request) -> NoReturn:
        form = await request.post()
        answer = web.HTTPSeeOther(f"{ROOT}/sign-in", headers=SECURITY)
        if self._operators.is_form_token(str(form.get("csrf", "")), request.cookies.get(COOKIE, "")):
            answer.del_cookie(COOKIE, path=ROOT)
        raise answer

    # -- doing ------------------------------------------------------------------------------------------------

    async def _act(self, request: web.Request) -> web.Response:
        form = await request.post()
        unit, action = str(form.get("unit", "")), str(form.get("action", ""))
        who = self._who(request)
        wrong = self._wrong(request, who, unit, action, str(form.get("csrf", "")))
        if wrong is not None:
            await self._source.refused(unit[:100], action[:20], who or "", wrong)
            return self._render(request, "refused", {"why": wrong}, who, status=401 if who is None else 403)
        outcome = await self._source.act(unit, action, who or "", str(form.get("reason", ""))[:500])
        if not outcome.ok:
            return self._render(request, "refused", {"why": outcome.message}, who, status=409)
        back = f"{ROOT}/units/{quote(unit)}" if unit else f"{ROOT}/"
        raise web.HTTPSeeOther(f"{back}?told={quote(outcome.message)}", headers=SECURITY)

    def _wrong(self, request: web.Request, who: str | None, unit: str, action: str, token: str) -> str | None:
        if who is None:
            return "nobody is signed in"
        if not self._operators.is_form_token(token, request.cookies.get(COOKIE, "")):
            return "the form is not from a page of this dashboard, or it is too old: open the page again"
        if action not in (ACTIONS if unit else WHOLE_ACTIONS):
            return "there is no such action"
        return None


_JINJA: Final = web.AppKey("dashboard_jinja", jinja2.Environment)


def mount(application: web.Application, source: Source, operators: Operators, now: Now = time.time) -> None:
    """Add the dashboard to an application."""
    environment = aiohttp_jinja2.setup(
        application,
        app_key=_JINJA,
        loader=jinja2.PackageLoader("proxy.dashboard"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(svg=svg)
    environment.filters.update(words.FILTERS)
    application.add_routes(Dashboard(source, operators, now).routes())


def _twin(request: web.Request) -> tuple[str, bool]:
    name = request.match_info["name"]
    return (name[:-5], True) if name.endswith(".json") else (name, False)


def _twin_of(request: web.Request) -> str:
    return f"{ROOT}/overview.json" if request.path == f"{ROOT}/" else f"{request.path}.json"


def _inside(path: str) -> str:
    """A path of ours to go on to, never another site."""
    return path if path.startswith(f"{ROOT}/") and "\\" not in path and ":" not in path else f"{ROOT}/"


def _refusal(code: str, message: str, status: int) -> web.Response:
    body = msgspec.json.encode({"error": code, "message": message}) + b"\n"
    return web.Response(body=body, status=status, content_type="application/json", headers=SECURITY)
