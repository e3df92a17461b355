# SPDX-License-Identifier: AGPL-3.0-or-later
"""How an exchange can fail."""

from __future__ import annotations

from typing import Final

# Code → (status for the client where nothing was sent yet, message). Codes are stable: they are metric labels and
# stand in logs; docs/operations.md explains each.
FAILURES: Final = {
    "backend_unreachable": (502, "The application could not be reached."),
    "backend_connect_timeout": (504, "The application did not accept the connection in time."),
    "backend_reset": (502, "The application closed the connection before it answered."),
    "backend_malformed": (502, "The application's answer broke the rules of HTTP."),
    "backend_first_byte_timeout": (504, "The application did not answer in time."),
    "backend_stream_timeout": (504, "The application's answer stalled."),
    "backend_total_timeout": (504, "The application took too long."),
    "pool_full": (503, "Too many requests are waiting for the application."),
    "pool_timeout": (503, "No connection to the application became free in time."),
    "request_timeout": (408, "The request did not arrive in time."),
    "body_too_large": (413, "The request's body is larger than this address accepts."),
    "client_closed": (499, "The client closed the connection."),
    "client_stalled": (499, "The client stopped reading."),
    "shutdown": (503, "The server is shutting down."),
}

NEVER_SENT: Final = frozenset({"backend_unreachable", "backend_connect_timeout"})
"""Nothing of the request has left the edge when these happen: it may go elsewhere whatever its method."""
TOO_SLOW: Final = frozenset({"backend_first_byte_timeout", "backend_stream_timeout", "backend_total_timeout"})
"""The backend's fault, where it had not answered yet."""
