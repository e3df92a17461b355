# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which of the recorded cases are run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import TypeVar

import msgspec

from contracts.corpus import Read, Write

_Case = TypeVar("_Case", Read, Write)


class Filter(msgspec.Struct, frozen=True):
    """Empty means any. Endpoints are patterns (`discussions#*`), and so are reads' routes (`/api/v1/polls*`)."""

    actors: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    limit: int | None = None

    def of(self, cases: Iterable[_Case]) -> Iterator[_Case]:
        """The cases that are wanted, in their order."""
        return islice((case for case in cases if self._wants(case)), self.limit)

    def wants_endpoint(self, case: Read | Write) -> bool:
        """Whether the case's endpoint and route are wanted, whoever asked."""
        return _fits(case.endpoint, self.endpoints) and (
            not isinstance(case, Read) or _fits(case.route, self.routes)
        )

    def _wants(self, case: Read | Write) -> bool:
        actors = {case.actor} if isinstance(case, Read) else {step.actor for step in case.steps}
        return (not self.actors or not actors.isdisjoint(self.actors)) and self.wants_endpoint(case)


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
