# SPDX-License-Identifier: AGPL-3.0-or-later
"""structured lines on standard error: JSON for machines, or for people at a console.

Nothing personal is logged: no addresses, no names, no query strings, no cookies.
"""

from __future__ import annotations

import sys
from typing import Any, cast

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

Logger = FilteringBoundLogger


def _json(value: Any, **_options: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


def configure(form: str) -> None:
    """Write lines as `form`: `json` or `console`."""
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=_json)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def logger() -> Logger:
    """The process's logger."""
    return cast(Logger, structlog.get_logger())
