# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where requests to record come from. Pure: text in, requests out, each once, in order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from contracts.corpus import DEFAULT_ACCEPT

_LOGGED = re.compile(r'"(?P<method>[A-Z]+) (?P<target>/\S*) HTTP/[\d.]+"')


class SourceError(ValueError):
    """A file that tells no requests; the message says where and what is expected."""


class Wanted(msgspec.Struct, frozen=True):
    """A request that may become a recording. `target` is path and query."""

    method: str
    target: str
    accept: str = DEFAULT_ACCEPT


def from_list(text: str) -> list[Wanted]:
    """Lines `[METHOD] /path?query`; empty ones and those with # in front say nothing. Raises `SourceError`."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        method, target = ("GET", words[0]) if len(words) == 1 else (words[0].upper(), words[1])
        if len(words) > 2 or not target.startswith("/"):
            raise SourceError(f"line {number}: {line.strip()[:80]!r} is no request; write: GET /path?query")
        found.append(Wanted(method, target))
    return _once(found)


def from_access_log(text: str) -> list[Wanted]:
    """Lines of nginx, Apache, HAProxy (`"GET /path HTTP/1.1"`) or of the edge (JSON). Raises `SourceError`."""
    found = [request for line in text.splitlines() if (request := _logged(line)) is not None]
    if text.strip() and not found:
        raise SourceError('no line tells a request ("GET /path HTTP/1.1", or JSON with method and target)')
    return _once(found)


def from_har(text: str) -> list[Wanted]:
    """What a browser exported. Raises `SourceError`."""
    try:
        entries = json.loads(text)["log"]["entries"]
        found = [_exported(entry["request"]) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"not a HAR file: {error!r}") from error
    return _once(found)


def _logged(line: str) -> Wanted | None:
    if line.startswith("{"):
        try:
            told = json.loads(line)
        except ValueError:
            return None
        target = told.get("target") or told.get("path")
        if isinstance(told.get("method"), str) and isinstance(target, str) and target.startswith("/"):
            return Wanted(told["method"], target)
        return None
    match = _LOGGED.search(line)
    return Wanted(match["method"], match["target"]) if match else None


def _exported(request: dict[str, object]) -> Wanted:
    parts = urlsplit(str(request["url"]))
    headers = request.get("headers")
    accept = DEFAULT_ACCEPT
    for header in headers if isinstance(headers, list) else ():
        if str(header["name"]).lower() == "accept" and "application/json" not in header["value"]:
            accept = str(header["value"])
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Wanted(str(request["method"]), target, accept)


def _once(found: Iterable[Wanted]) -> list[Wanted]:
    return list(dict.fromkeys(found))
