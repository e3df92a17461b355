# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rollout on the admin port, in JSON. docs/rollout.md lists the addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from proxy.dashboard.operators import SHARED
from proxy.rollout.commands import RefusedError, Verb
from proxy.rollout.controller import Controller
from proxy.rollout.evidence import Proof
from proxy.rollout.phases import IllegalTransitionError
from proxy.rollout.ports import UnavailableError
from proxy.rollout.view import rollout_view, unit_view

OPERATOR: Final = web.RequestKey("operator", str)
"""Whose token a request came with. A name of one's own stands in the journal, whatever the body says."""

_MOST_LINES: Final = 1_000


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a POST; all of it may be left out. `percent`: where `back` goes to."""

    by: str = "somebody"
    reason: str = ""
    percent: float = 0.0
    dry_run: bool = False


class ProofGiven(msgspec.Struct, forbid_unknown_fields=True):
    """A run of `contracts verify-writes` or `replay`."""

    kind: str
    build: str
    green: bool
    cases: int = 0
    by: str = "somebody"


Answer = Callable[[web.Request], Awaitable[Any]]


class _Api:
    """The answers, as values."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def overview(self, _request: web.Request) -> Any:
        return await rollout_view(self._controller)

    async def one(self, request: web.Request) -> Any:
        return await unit_view(self._controller, self._controller.unit_of(request.match_info["unit"]))

    async def order(self, request: web.Request) -> Any:
        told = await _order(request)
        return await self._controller.command(
            Verb(request.match_info["verb"]),
            request.match_info["unit"],
            by=told.by,
            reason=told.reason,
            percent=told.percent,
            dry_run=told.dry_run,
        )

    async def freeze(self, request: web.Request) -> Any:
        told = await _order(request)
        frozen = request.path.endswith("/freeze")
        if not told.dry_run:
            await self._controller.freeze(frozen, by=told.by, reason=told.reason)
        return {"frozen": frozen, "dry_run": told.dry_run}

    async def shift(self, request: web.Request) -> Any:
        percent = float(request.query.get("percent", ""))
        return await self._controller.shift(request.match_info["unit"], percent)

    async def history(self, request: web.Request) -> Any:
        limit = max(1, min(_MOST_LINES, int(request.query.get("limit", "100"))))
        return await self._controller.history(request.match_info.get("unit"), limit)

    async def proof(self, request: web.Request) -> Any:
        told = msgspec.json.decode(await request.read(), type=ProofGiven)
        proof = Proof(told.kind, told.build, told.green, self._controller.now(), told.cases, told.by)
        await self._controller.prove(request.match_info["unit"], proof)
        return proof


async def _order(request: web.Request) -> Order:
    order = msgspec.json.decode(await request.read() or b"{}", type=Order)
    operator = request.get(OPERATOR)
    return order if operator in (None, SHARED) else msgspec.structs.replace(order, by=operator)


def rollout_routes(controller: Controller, respond: Callable[..., web.Response]) -> list[web.RouteDef]:
    """The routes. `respond(value, status=…)` makes a JSON response."""

    def guarded(answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            try:
                return respond(await answer(request))
            except RefusedError as error:
                return respond({"error": "refused", "message": str(error)}, status=409)
            except IllegalTransitionError as error:
                return respond({"error": "impossible-now", "message": str(error)}, status=409)
            except UnavailableError as error:
                return respond({"error": "unavailable", "message": str(error)}, status=503)
            except (msgspec.DecodeError, ValueError) as error:
                return respond({"error": "bad-request", "message": str(error)}, status=400)

        return handler

    api = _Api(controller)
    return [
        web.get("/rollout", guarded(api.overview)),
        web.get("/rollout-history", guarded(api.history)),
        web.post("/rollout/{verb:freeze|thaw}", guarded(api.freeze)),
        web.get("/rollout/{unit}", guarded(api.one)),
        web.get("/rollout/{unit}/history", guarded(api.history)),
        web.get("/rollout/{unit}/can-shift", guarded(api.shift)),
        web.post("/rollout/{unit}/proof", guarded(api.proof)),
        web.post(f"/rollout/{{unit}}/{{verb:{'|'.join(Verb)}}}", guarded(api.order)),
    ]
