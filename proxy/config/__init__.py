# SPDX-License-Identifier: AGPL-3.0-or-later
"""What operators write: `routing.yaml` and its catalogue, read and checked as a whole.

    bytes ─ nodes ─→ nodes with places ─ record, kinds ─→ Written ─ resolve ─→ WrittenConfig

- `written` declares every key once: reader, JSON Schema and documentation follow from it.
- `nodes` bounds what a file may hold; `kinds` and `record` read values; `resolve` looks names up.
- `catalogue` reads `routes.yaml`, `rails_listing` makes it from what `bin/rails routes` prints, `notation` knows
  Rails' paths.
- `load` puts it together; `watch` says when to do it again.

Invariants: no content of a file raises; everything that is wrong is reported at once, each with file, line,
column, a stable code and a remedy (`errors`); a `WrittenConfig` exists only where there is no error, and whatever
it names exists.

Words: a *route* is a method and a path in Rails notation; the *catalogue* holds all routes in Rails' order; a
*group* is routes that move together; a *share* (`percent`) is the part of the users on the new side; a *bundle* is
groups whose shares must be equal; a *side* is a backend as seen from a group: `from` serves now, `to` is where it
moves.
"""

from proxy.config.errors import Code, ConfigError, Position, Severity
from proxy.config.load import Loaded, load, parse
from proxy.config.written import CatalogueRow, Written, WrittenConfig

__all__ = [
    "CatalogueRow",
    "Code",
    "ConfigError",
    "Loaded",
    "Position",
    "Severity",
    "Written",
    "WrittenConfig",
    "load",
    "parse",
]
