# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bodies of changing requests: JSON, or forms with nested names, as Rails reads them."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from services.kernel.errors import BadRequestError

DEEPEST = 32
"""Levels of nesting in names; Rack takes as many."""

_NULL = re.compile(rb"\0|\\u0000|%00")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


async def read_body(request: web.Request) -> dict[str, Any]:
    """What the body says; nothing where there is none, or of a kind nobody reads. Raises `BadRequestError`."""
    if not request.can_read_body:
        return {}
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BadRequestError from None
    if not raw.strip():
        return {}
    if _NULL.search(raw):
        raise BadRequestError  # PostgreSQL has no text with it; Rails would fall over
    if request.content_type == "application/json":
        return parse_json(raw)
    if request.content_type == "application/x-www-form-urlencoded":
        return parse_form(raw)
    return {}


def parse_json(raw: bytes) -> dict[str, Any]:
    """A JSON object; any other value stands under `_json`, as in Rails. Raises `BadRequestError`."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadRequestError from None
    return value if isinstance(value, dict) else {"_json": value}


def parse_form(raw: bytes) -> dict[str, Any]:
    """A form, whose names may nest: `user[email]=…`, `ids[]=…`. Raises `BadRequestError`."""
    try:
        pairs = urllib.parse.parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise BadRequestError from None
    values: dict[str, Any] = {}
    for name, value in pairs:
        _place(values, name, value)
    return values


def _place(values: dict[str, Any], name: str, value: str) -> None:
    outer, bracket, _ = name.partition("[")
    keys = [outer, *_BRACKETS.findall(name[len(outer) :])] if bracket else [name]
    if len(keys) > DEEPEST:
        raise BadRequestError
    place = values
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        if following is None:
            place[key] = value
        elif following == "":
            known = place.setdefault(key, [])
            if not isinstance(known, list):
                raise BadRequestError
            known.append(value)
            return
        else:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise BadRequestError


def plain_texts(body: Mapping[str, Any]) -> dict[str, str]:
    """The texts at the top of a body; Rails looks for parameters there as well as in the query."""
    return {name: value for name, value in body.items() if isinstance(value, str)}


def text_of(said: Mapping[str, Any], name: str) -> str | None:
    """A text that is said; numbers are told as text, as forms would."""
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value)
