# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan contracts …`: comparing the two sides, and reporting what was found.

Each subcommand is a function in a module of its own over its package, added in `register`.
"""

from __future__ import annotations

import typer

from banyan import contracts_infer, contracts_record, contracts_replay, contracts_verify, report_commands


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    contracts = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    contracts.callback()(about)
    contracts.command("replay")(contracts_replay.replay)
    contracts.command("record")(contracts_record.record)
    contracts.command("verify-writes")(contracts_verify.verify_writes)
    report_commands.register(contracts)
    contracts_infer.register(contracts)
    app.add_typer(contracts, name="contracts")


def about() -> None:
    """Compare the two sides, and report what was found."""
