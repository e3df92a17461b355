# SPDX-License-Identifier: AGPL-3.0-or-later
"""The `banyan` command.

One file per family of commands; each exposes `register(app)` and is a few lines over its package.
Heavy imports happen inside the commands, so that `banyan --help` answers at once.

Exit codes: 0 yes/done, 1 no/findings, 2 wrong use or broken input, 3 not enough evidence.
"""

from __future__ import annotations

import typer

from banyan import (
    config_commands,
    contracts_commands,
    database_commands,
    demo_commands,
    edge_commands,
    jobs_commands,
    playback_commands,
    rollout_commands,
    services_commands,
    sql_commands,
)

app = typer.Typer(
    name="banyan",
    help="Move a live Rails application to Python, endpoint by endpoint, without its users noticing.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for family in (
    demo_commands,
    edge_commands,
    config_commands,
    playback_commands,
    services_commands,
    jobs_commands,
    sql_commands,
    database_commands,
    contracts_commands,
    rollout_commands,
):
    family.register(app)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
