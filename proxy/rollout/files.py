# SPDX-License-Identifier: AGPL-3.0-or-later
"""State and journal in local files: all that a single edge needs, and what any edge knows after a restart alone.

`routing.yaml` has beside it, once anything was decided, `routing.yaml.state` (a JSON object: unit → state) and
`routing.yaml.journal` (one JSON object a line).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from proxy.rollout.ports import Entry, UnavailableError
from proxy.rollout.state import State


class Kept(msgspec.Struct):
    """What is in a state file."""

    states: dict[str, State] = {}
    frozen: bool = False


class StateFile:
    """Written anew as a whole, by renaming; one that cannot be read counts as absent."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""

    def read(self) -> Kept | None:
        """What was kept; None where there is nothing, or nothing that makes sense."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            self.problem = f"{self.path} cannot be read: {error}"
            return None

    def write(self, states: Mapping[str, State], frozen: bool) -> None:
        """Keep. Raises UnavailableError."""
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            with draft.open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(Kept(dict(states), frozen)), indent=1))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except OSError as error:
            raise UnavailableError(f"{self.path} cannot be written: {error.strerror}") from None


class FileJournal:
    """A journal of one edge alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def append(self, entry: Entry) -> None:
        """As the port says."""
        await asyncio.to_thread(self._append, msgspec.json.encode(entry) + b"\n")

    def _append(self, line: bytes) -> None:
        try:
            with self._path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UnavailableError(f"{self._path} cannot be written: {error.strerror}") from None

    async def read(self, unit: str | None, limit: int) -> list[Entry]:
        """As the port says."""
        entries = await asyncio.to_thread(self._entries)
        return [entry for entry in reversed(entries) if unit is None or entry.unit == unit][:limit]

    async def latest(self) -> dict[str, State]:
        """As the port says."""
        entries = await asyncio.to_thread(self._entries)
        return {entry.unit: entry.state for entry in entries if entry.state is not None}

    def _entries(self) -> list[Entry]:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UnavailableError(f"{self._path} cannot be read: {error.strerror}") from None
        entries = []
        for line in lines:
            try:
                entries.append(msgspec.json.decode(line, type=Entry))
            except msgspec.DecodeError:
                continue  # half a line: the edge died while writing it, so nothing followed from it
        return entries
