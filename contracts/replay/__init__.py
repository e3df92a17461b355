# SPDX-License-Identifier: AGPL-3.0-or-later
"""Recorded reads, asked again of any server.

    cases (filtered) → connections, a few at a time → contracts.compare → Tally → Evidence → report

Every case is asked once, with its actor's recorded cookies, and judged by the rules that were recorded with it. A case
that got no whole answer is counted, never skipped in silence; a server that has gone away ends the run early, and what
was not asked any more is counted as `cancelled`.
"""

from contracts.replay.run import Progress, Replayed, ServerUnreachableError, replay
from contracts.replay.select import Filter

__all__ = ["Filter", "Progress", "Replayed", "ServerUnreachableError", "replay"]
