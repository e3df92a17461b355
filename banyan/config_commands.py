# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands around `routing.yaml`: check, plan, explain, routes import."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
