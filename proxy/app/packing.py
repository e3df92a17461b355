# SPDX-License-Identifier: AGPL-3.0-or-later
"""A table on its way to another process: its path tree and the rest apart.

The tree is two thirds of the time that unpacking takes, and the same until the catalogue changes: whoever has it goes
on with it, and with the answers it remembers.
"""

from __future__ import annotations

import gc
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

import msgspec

from proxy.routing.match import Matcher
from proxy.routing.table import Table

_MATCHER: Final = "matcher"


class Packed(msgspec.Struct, frozen=True):
    """A table as two pickles; to be unpacked only where they come from one's own parent."""

    matcher: bytes
    rest: bytes


def pack(table: Table) -> Packed:
    """`table` for another process."""
    rest = BytesIO()
    _Pickler(rest, pickle.HIGHEST_PROTOCOL).dump(table)
    return Packed(pickle.dumps(table.matcher, pickle.HIGHEST_PROTOCOL), rest.getvalue())


class Unpacker:
    """Unpacks one table after the other."""

    def __init__(self) -> None:
        self._packed = b""
        self._matcher: Matcher | None = None

    def matcher(self, packed: Packed) -> Matcher:
        """The first half, which `table` need not unpack then."""
        if self._matcher is None or self._packed != packed.matcher:
            with _no_collection():
                matcher: Matcher = pickle.loads(packed.matcher)
            self._packed, self._matcher = packed.matcher, matcher
        return self._matcher

    def table(self, packed: Packed) -> Table:
        """The whole."""
        matcher = self.matcher(packed)
        with _no_collection():
            table: Table = _Unpickler(packed.rest, matcher).load()
        return table


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> str | None:
        return _MATCHER if isinstance(obj, Matcher) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, matcher: Matcher) -> None:
        super().__init__(BytesIO(data))
        self._matcher = matcher

    def persistent_load(self, pid: Any) -> Matcher:
        if pid != _MATCHER:
            raise pickle.UnpicklingError(f"nothing is known as {pid!r}")
        return self._matcher


@contextmanager
def _no_collection() -> Iterator[None]:
    """Nothing of what is made here is garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
