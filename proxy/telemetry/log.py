# SPDX-License-Identifier: AGPL-3.0-or-later
"""The access log, cheap enough to stay on, and the events' log (structlog).

A line names the route, never the path or query: addresses of this application carry tokens (`/invitations/…`), and
neither they nor client addresses belong in a log.
"""

from __future__ import annotations

import logging
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

import structlog

Format = Literal["json", "console"]
_LINES_AT_ONCE: Final = 256


class AccessLog:
    """One line per exchange, written many at a time. `target`: a path, "-" (stdout) or "off".

    `lost` counts lines that could not be written.
    """

    def __init__(self, target: str, form: Format, wall_clock: Callable[[], float]) -> None:
        self._target = target
        self._json = form == "json"
        self._clock = wall_clock
        self._lines: list[str] = []
        self._second = -1
        self._stamp = ""
        self._descriptor = -1
        self._poll = select.poll()
        self._is_file = False
        self.lost = 0
        self.on = target != "off"
        self.reopen()

    def place(self, route: str, group: str, side: str, reason: str, generation: int) -> str:
        """The part of a line that many exchanges share, put together once for them all."""
        if self._json:
            return (
                f'"route":"{route}","group":"{group}","side":"{side}","reason":"{reason}",'
                f'"generation":{generation}'
            )
        return f"{route} {side} ({reason})"

    def line(
        self,
        place: str,
        request_id: str,
        method: str,
        status: int,
        failure: str,
        seconds: float,
        first_byte: float,
        bytes_in: int,
        bytes_out: int,
    ) -> None:
        """Note one exchange. `request_id` and `method` were checked to be plain; the others are ours."""
        now = self._clock()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        milliseconds = int((now - second) * 1000)
        if self._json:
            # Milliseconds with two places, by whole numbers: a float's own way to text costs as much as all the rest.
            hundredths = int(seconds * 100_000 + 0.5)
            first = int(first_byte * 100_000 + 0.5)
            line = (
                f'{{"time":"{self._stamp}.{milliseconds:03d}Z","event":"request","request_id":"{request_id}",'
                f'"method":"{method}",{place},"status":{status},"failure":"{failure}",'
                f'"ms":{hundredths // 100}.{hundredths % 100:02d},'
                f'"first_byte_ms":{first // 100}.{first % 100:02d},"bytes_in":{bytes_in},"bytes_out":{bytes_out}}}\n'
            )
        else:
            line = (
                f"{self._stamp}.{milliseconds:03d}Z {status} {method} {place} {seconds * 1000:.1f} ms {bytes_out} B"
                f"{' ' + failure if failure else ''} {request_id}\n"
            )
        self._lines.append(line)
        if len(self._lines) >= _LINES_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what was noted. A full disk, or a pipe that nobody reads, loses lines and never holds up a request."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            for block in [lines] if self._is_file else _blocks(lines):
                if not self._poll.poll(0):
                    raise BlockingIOError
                os.write(self._descriptor, "".join(block).encode())
        except OSError:
            self.lost += len(lines)

    def reopen(self) -> None:
        """Open the file anew (SIGUSR1, after the old one was moved away)."""
        if not self.on:
            return
        if self._target == "-":
            self._descriptor = 1
            self._watch()
            return
        descriptor = os.open(self._target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        if self._descriptor > 2:
            self.flush()
            os.close(self._descriptor)
        self._descriptor = descriptor
        self._watch()

    def _watch(self) -> None:
        self._is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Whole lines, at most PIPE_BUF bytes at once: a ready pipe takes so much without blocking, and in one piece,
    so that the lines of several workers do not mix. (A file opened to append takes any number.)"""
    block: list[str] = []
    size = 0
    for line in lines:
        if block and size + len(line) > select.PIPE_BUF:
            yield block
            block, size = [], 0
        block.append(line)
        size += len(line)
    if block:
        yield block


def configure_events(form: Format, stream: TextIO = sys.stderr) -> None:
    """Set structlog up: events as JSON lines or for a terminal, on stderr."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
