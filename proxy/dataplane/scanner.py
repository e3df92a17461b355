# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which implementation of the scanner runs: the compiled one where it may (see `proxy.compiled`), else Python's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from proxy.dataplane import scan

if TYPE_CHECKING:
    from proxy.dataplane.heads import RequestHead, ResponseHead
    from proxy.model import HeadLimits


class AnyScanner(Protocol):
    """The contract; see `scan`."""

    def request(self, data: bytes) -> RequestHead | None:
        """Scan a request's head."""
        ...

    def response(self, data: bytes, method: bytes) -> ResponseHead | None:
        """Scan an answer's head."""
        ...


def is_compiled() -> bool:
    """Whether `make_scanner` makes compiled ones."""
    return _Scanner is not scan.Scanner


def make_scanner(limits: HeadLimits, noted: Iterable[bytes]) -> AnyScanner:
    """A scanner for heads within `limits`; `noted`: names of headers whose values will be asked for."""
    return _Scanner(limits, frozenset(noted))


def _best() -> Callable[[HeadLimits, frozenset[bytes]], AnyScanner]:
    with contextlib.suppress(ImportError):  # it was not built, or is not wanted
        from proxy.dataplane import _scan

        return _scan.Scanner
    return scan.Scanner


_Scanner = _best()
