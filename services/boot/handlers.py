# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of the client's start."""

from __future__ import annotations

from typing import Any

from services.kernel.errors import BadRequestError
from services.kernel.http import Context, Handler
from services.kernel.routes import Route
from services.kernel.settings import LOOMIO_VERSION, Settings


async def version(context: Context) -> dict[str, Any]:
    """Which version and release this is, and whether the client is outdated."""
    params, settings = context.params, context.settings
    has = params.text("version") if "version" in params else "0.0.0"
    if has is None:
        raise BadRequestError  # `?version`: Rails falls over
    return {
        "version": LOOMIO_VERSION,
        "release": settings.release,
        "reload": should_reload(has, params.text("release"), settings),
        "notice": settings.system_notice,
    }


def should_reload(version: str, release: str | None, settings: Settings) -> bool | None:
    """Whether a client should load itself anew.

    Yes with an older version (compared as text). Else, where operators ask for it, with another release;
    null where they do not.
    """
    if version.encode() < LOOMIO_VERSION.encode():
        return True
    return release != settings.release if settings.system_reload else None


ROUTES: tuple[Route[Handler], ...] = (Route("GET", "/api/v1/boot/version", "boot#version", version),)
