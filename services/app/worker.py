# SPDX-License-Identifier: AGPL-3.0-or-later
"""One process that answers requests. Run as a module by `parent`, with two descriptors: the listening
socket and the control socket.

On the control socket the parent asks for a report, a line at a time; its end means that the parent is gone.
Then, and on SIGTERM, the worker takes no more connections, answers what is under way, and ends.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys

import msgspec
import uvloop
from aiohttp import web

from services.app.application import DATABASE, LONGEST_LINE, METRICS, build
from services.kernel import log
from services.kernel.metrics import Series
from services.kernel.readiness import Readiness, readiness
from services.kernel.settings import Settings

DRAIN_SECONDS = 30.0
KEEP_ALIVE_SECONDS = 75.0
"""Longer than the edge keeps a connection idle, so that it is the edge that closes it."""


class Report(msgspec.Struct, frozen=True):
    """What a worker says of itself: whether it can answer requests, and what it counted."""

    readiness: Readiness
    samples: Series


async def serve(settings: Settings, listening: socket.socket, control: socket.socket) -> None:
    """Answer requests until the parent says stop or is gone."""
    app = build(settings)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=DRAIN_SECONDS,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await runner.setup()
    # What is there by now stays: looking through it again would hold up every answer for tens of milliseconds.
    gc.collect()
    gc.freeze()
    await web.SockSite(runner, listening).start()
    reports = asyncio.create_task(_report(app, control, stop))
    await stop.wait()
    await runner.cleanup()
    reports.cancel()


async def _report(app: web.Application, control: socket.socket, stop: asyncio.Event) -> None:
    reader, writer = await asyncio.open_connection(sock=control)
    writer.write(b"started\n")
    try:
        while await reader.readline():
            database = app[DATABASE]
            report = Report(await readiness(database), app[METRICS].samples(database.connections()))
            writer.write(msgspec.json.encode(report) + b"\n")
    except ConnectionError:
        pass
    finally:
        stop.set()
        writer.close()


def main() -> None:
    """Start on the descriptors of the command line."""
    # Ctrl-C reaches the whole terminal; it is the parent that decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = Settings.from_environment(os.environ)
    log.configure(settings.log_format)
    listening, control = (socket.socket(fileno=int(text)) for text in sys.argv[1:3])
    uvloop.run(serve(settings, listening, control))


if __name__ == "__main__":
    main()
