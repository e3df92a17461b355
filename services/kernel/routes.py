# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rails' path notation, and the first route that matches.

`/api/v1/polls/:id` takes one segment, and every path may end in a format (`.json`), as `(.:format)` has it.
A path matches however many slashes it repeats or ends with. HEAD follows GET.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.kernel.credential import Credential
from services.kernel.parameters import Parameter

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])

_SLASHES = re.compile(r"/{2,}")
_SEGMENT = re.compile(r":([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Route(Generic[Handler]):
    """A method and a path in Rails' notation, the route's stable name, and who answers."""

    method: str
    path: str
    name: str
    handler: Handler
    writes: bool = False
    """Whether it changes rows though its method is GET."""
    takes: Credential = Credential.SESSION
    """By what it knows who asks."""
    is_guarded: bool = True
    """Whether a changing request must come from a page of ours. Where not, the handler sees to what is at stake."""
    reads: tuple[Parameter, ...] = ()
    """What it reads of the query, beside what every route of its kind does."""


class Routes(Generic[Handler]):
    """An immutable table of routes, in order of precedence."""

    def __init__(self, routes: Iterable[Route[Handler]]) -> None:
        """Compile."""
        self._fixed: dict[tuple[str, str], Route[Handler]] = {}
        self._open: list[tuple[re.Pattern[str], Route[Handler]]] = []
        for route in routes:
            if ":" in route.path:
                pattern = _SEGMENT.sub(r"(?P<\1>[^/?.]+)", re.escape(route.path).replace(r"\:", ":"))
                self._open.append((re.compile(rf"{pattern}(\.[^/?.]+)?"), route))
            else:
                self._fixed.setdefault((route.method, route.path), route)

    def find(self, method: str, path: str) -> tuple[Route[Handler], dict[str, str]] | None:
        """The route of a request and what its segments say; `path` is still escaped and has no query."""
        method = "GET" if method == "HEAD" else method
        path = _SLASHES.sub("/", path)
        path = path.rstrip("/") or "/"
        bare = path if "." not in path.rpartition("/")[2] else path.rpartition(".")[0]
        for spelling in (path, bare):
            if (route := self._fixed.get((method, spelling))) is not None:
                return route, {}
        for pattern, route in self._open:
            if route.method == method and (found := pattern.fullmatch(path)):
                segments = found.groupdict()
                return route, {name: urllib.parse.unquote(text) for name, text in segments.items()}
        return None
