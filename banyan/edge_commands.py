# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan edge`: the reverse proxy itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from banyan.output import fail


def parse_address(text: str, option: str) -> tuple[str, int]:
    """`HOST:PORT` (an IPv6 host in brackets) → (host, port). Leaves with a message when it is neither."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        fail(f"{option} {text!r} is not HOST:PORT, such as 127.0.0.1:8080 (port 0 picks a free one)")
    return host, int(port)


def edge(
    config: Annotated[Path, typer.Option(metavar="FILE", help="The routing file.")] = Path("routing.yaml"),
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where clients connect.")
    ] = "127.0.0.1:8080",
    admin: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT", help="The admin port; beyond loopback it needs BANYAN_ADMIN_TOKEN."
        ),
    ] = "127.0.0.1:8081",
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, max=256, help="Processes that carry traffic; one per core.")
    ] = 1,
    access_log: Annotated[
        str, typer.Option(metavar="PATH|-|off", help="Where requests are logged; - is stdout.")
    ] = "-",
    log_format: Annotated[str, typer.Option(metavar="json|console", help="Form of both logs.")] = "json",
    drain_seconds: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="How long requests under way may take after SIGTERM."),
    ] = 30.0,
    tls_cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Serve TLS with this certificate and its chain (PEM); watched."),
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key (PEM).")] = None,
    handover: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Take over from the edge that runs with the same PATH, if any; then let a later one take over.",
        ),
    ] = None,
) -> None:
    """Run the edge: route every request to the old or the new side, as the routing file says.

    Prints where it listens; port 0 picks a free one. It is ready when /ready on the admin port says 200.

    \b
    SIGTERM, Ctrl-C  take no more connections, finish what is under way, end
    SIGHUP           read the routing file again (it is also watched)
    SIGUSR1          open the access log anew, after it was moved away

    \b
    Environment:
    what the routing file names as ${NAME}
    SECRET_KEY_BASE or SECRET_KEY_BASE_FILE  Rails' value: tells who is signed in
    BANYAN_ADMIN_TOKEN                       bearer token of the admin port
    BANYAN_NOW                               ISO time at which the clock starts
    """
    from proxy.app.admin import AdminError
    from proxy.app.certificate import CertificateError
    from proxy.app.handover import HandoverError
    from proxy.app.listening import ListenError
    from proxy.app.parent import EdgeOptions, StartError, run_edge

    if log_format not in ("json", "console"):
        fail(f"--log-format {log_format!r} is neither json nor console")
    if (tls_cert is None) is not (tls_key is None):
        fail("--tls-cert and --tls-key belong together")
    options = EdgeOptions(
        config=config,
        listen=parse_address(listen, "--listen"),
        admin=parse_address(admin, "--admin"),
        workers=workers,
        access_log=access_log,
        log_format="json" if log_format == "json" else "console",
        drain_seconds=drain_seconds,
        handover=handover,
        tls=None if tls_cert is None or tls_key is None else (tls_cert, tls_key),
    )
    try:
        run_edge(options)
    except StartError as error:
        for finding in error.findings:
            typer.echo(str(finding), err=True)
        fail(str(error))
    except (AdminError, CertificateError, HandoverError, ListenError, ValueError) as error:
        fail(str(error))


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.command()(edge)
