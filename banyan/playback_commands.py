# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan legacy-playback`: the recorded legacy as a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from banyan.output import fail

if TYPE_CHECKING:
    from contracts.playback import Playback


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.command("legacy-playback")(legacy_playback)


def _share(help_text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(min=0, max=1, metavar="SHARE", help=help_text)
    return option


def legacy_playback(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one and prints it.")
    ],
    corpus: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of recordings (default: our own).")
    ] = None,
    idle_seconds: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="When idle connections are closed (Puma: 20).")
    ] = 20.0,
    latency_ms: Annotated[
        float, typer.Option(min=0, metavar="MS", help="Wait so long before every answer.")
    ] = 0.0,
    jitter_ms: Annotated[
        float, typer.Option(min=0, metavar="MS", help="Wait so much longer on average, exponentially.")
    ] = 0.0,
    error_rate: Annotated[float, _share("Requests answered with 500.")] = 0.0,
    hang_rate: Annotated[float, _share("Requests never answered.")] = 0.0,
    stall_rate: Annotated[float, _share("Answers that stop half way, connection open.")] = 0.0,
    reset_rate: Annotated[float, _share("Answers reset half way.")] = 0.0,
    cut_rate: Annotated[float, _share("Answers ended half way.")] = 0.0,
    drop_rate: Annotated[float, _share("Requests whose connection is reset without a byte.")] = 0.0,
    garbage_rate: Annotated[float, _share("Requests answered with what is not HTTP.")] = 0.0,
    refuse_rate: Annotated[float, _share("Connections reset as soon as they are made.")] = 0.0,
    seed: Annotated[int, typer.Option(metavar="N", help="Where chance begins.")] = 0,
) -> None:
    """Answer as the recorded application did, byte for byte where the bytes were recorded.

    A request that was never recorded gets 501 and is told what was looked up. SHARE is between 0 and 1.
    Exit codes: 0 stopped by a signal, 2 DIR is no corpus or HOST:PORT is not usable.
    """
    import random

    from contracts.corpus import Corpus, CorpusError
    from contracts.playback import Fault, Faults, Playback

    host, port = _address(listen)
    rates = {
        Fault.ERROR: error_rate,
        Fault.HANG: hang_rate,
        Fault.STALL: stall_rate,
        Fault.RESET: reset_rate,
        Fault.CUT: cut_rate,
        Fault.DROP: drop_rate,
        Fault.GARBAGE: garbage_rate,
    }
    try:
        faults = Faults(
            random=random.Random(seed),
            latency=latency_ms / 1000,
            jitter=jitter_ms / 1000,
            rates={fault: rate for fault, rate in rates.items() if rate},
            refused=refuse_rate,
        )
        playback = Playback(Corpus.open(corpus), faults=faults, idle_seconds=idle_seconds)
    except (CorpusError, ValueError) as error:
        fail(str(error))
    _run(playback, host, port)


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        fail(f"--listen {listen}: not HOST:PORT; say for example 127.0.0.1:3000")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _run(playback: Playback, host: str, port: int) -> None:
    import asyncio
    import signal

    import uvloop

    async def serve() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        async with playback.serve(host, port) as server:
            typer.echo(f"recorded legacy on {server.url}")
            await stopped.wait()
            typer.echo(
                f"{server.requests_seen} requests, {server.not_recorded} of them not recorded", err=True
            )

    try:
        uvloop.run(serve())
    except OSError as error:
        fail(f"--listen {host}:{port}: {error.strerror or error}")
