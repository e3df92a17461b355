# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asks a live legacy, slowly, and writes what it said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from contracts.address import Address
from contracts.client import Connection, ConnectionFailedError
from contracts.compare import Answer
from contracts.corpus import ANONYMOUS, DEFAULT_ACCEPT
from contracts.record.choose import Choice
from contracts.record.facts import response_of, target_without_secrets
from contracts.record.sources import Wanted
from proxy.experiment.diff import place_of, pointer_of, walk
from proxy.experiment.outcome import Kind

READS = "reads.jsonl"

# Numbers are read exactly, and are written as they were.
_LINES = msgspec.json.Encoder(decimal_format="number")


class RecordError(Exception):
    """Recording cannot go on; the message says why."""


class Recorded(msgspec.Struct):
    """What a run came to."""

    written: int = 0
    known: int = 0
    """Were there already."""
    unstable: int = 0
    """Answered with another status when asked again: not written."""
    redacted: dict[str, int] = {}
    """Fields from which something was taken out, and how often."""


class Recorder:
    """Records into a folder; `cookies` are each actor's Cookie header."""

    def __init__(
        self,
        server: Address,
        folder: Path,
        cookies: Mapping[str, str],
        *,
        runs: int = 3,
        rate: float = 5.0,
        patience: float = 30.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        watch: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """`rate` is requests a second, `patience` the seconds for one answer; `runs` how often each is asked."""
        self._server = server
        self._folder = folder
        self._cookies = dict(cookies) or {ANONYMOUS: ""}
        self._runs = runs
        self._pause = 1 / rate
        self._patience = patience
        self._now = now
        self._watch = watch
        self._done = Recorded()

    async def run(self, choice: Choice) -> Recorded:
        """Ask what is not recorded yet. Raises `RecordError`; what was written until then stays."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            sessions = self._folder / "sessions.json"
            if not sessions.exists():
                sessions.write_text("{}\n")
            known = self._known()
            with (self._folder / READS).open("ab") as file:
                await self._all(choice, known, file.write, file.flush)
        except OSError as error:
            raise RecordError(f"{self._folder}: {error.strerror or error}") from error
        return self._done

    async def _all(
        self, choice: Choice, known: set[str], write: Callable[[bytes], int], flush: Callable[[], None]
    ) -> None:
        cases = [(actor, *one) for actor in self._cookies for one in choice.asked]
        connection = self._server.connection(self._patience)
        try:
            for number, (actor, wanted, endpoint, route) in enumerate(cases, 1):
                name = _id(endpoint, actor, wanted)
                if name in known:
                    self._done.known += 1
                else:
                    line = await self._record(connection, actor, wanted)
                    if line is not None:
                        write(
                            _LINES.encode({"id": name, "endpoint": endpoint, "route": route, **line}) + b"\n"
                        )
                        flush()
                        self._done.written += 1
                self._watch(number, len(cases))
        except ConnectionFailedError as error:
            raise RecordError(f"{self._server}: {error}; the same command goes on from here") from error
        finally:
            connection.close()

    async def _record(self, connection: Connection, actor: str, wanted: Wanted) -> dict[str, Any] | None:
        date = self._now()
        answers = [await self._ask(connection, actor, wanted) for _ in range(self._runs)]
        if len({answer.status for answer in answers}) > 1:
            self._done.unstable += 1
            return None
        (first, removed), *others = [response_of(answer) for answer in answers]
        noise, unordered = set(removed), set[str]()
        for other, removed_there in others:
            noise |= set(removed_there)
            for fact in walk(first, other, place_of("response")):
                (unordered if fact.kind is Kind.ORDER else noise).add(
                    pointer_of(fact.place).removesuffix("/-")
                )
        for pointer in removed:
            field = pointer.rsplit("/", 1)[-1]
            self._done.redacted[field] = self._done.redacted.get(field, 0) + 1
        headers = {} if wanted.accept == DEFAULT_ACCEPT else {"Accept": wanted.accept}
        target = target_without_secrets(wanted.target)
        if target != wanted.target:
            self._done.redacted["path"] = self._done.redacted.get("path", 0) + 1
        return {
            "actor": actor,
            "request": {"method": "GET", "path": target, "headers": headers},
            "response": first,
            "date": date.isoformat(timespec="seconds"),
            "noise": sorted(noise),
            "unordered": sorted(unordered),
        }

    async def _ask(self, connection: Connection, actor: str, wanted: Wanted) -> Answer:
        await asyncio.sleep(self._pause)
        lines = [
            f"GET {wanted.target} HTTP/1.1",
            f"Host: {self._server.authority}",
            f"Accept: {wanted.accept}",
        ]
        if self._cookies[actor]:
            lines.append(f"Cookie: {self._cookies[actor]}")
        return (await connection.ask("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))).answer

    def _known(self) -> set[str]:
        """The ids that are written; a last line that broke off is cut away."""
        file = self._folder / READS
        if not file.exists():
            return set()
        content = file.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            file.write_bytes(whole)
        try:
            return {msgspec.json.decode(line)["id"] for line in whole.splitlines()}
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise RecordError(f"{file}: not written by this command ({error!r})") from error


def _id(endpoint: str, actor: str, wanted: Wanted) -> str:
    accept = "" if wanted.accept == DEFAULT_ACCEPT else f" as {wanted.accept}"
    return f"{endpoint} {actor} {target_without_secrets(wanted.target)}{accept}"
