# SPDX-License-Identifier: AGPL-3.0-or-later
"""New recordings of reads, from a live legacy.

    requests (a list, an access log, a HAR file) → which may be asked (`choose`, by the catalogue)
      → each asked several times, slowly → facts in the notation, secrets out (`facts`) → noise and order (`run`)
      → `reads.jsonl`, a line at a time, so that a run that broke off is taken up where it stopped

Only GETs that the catalogue calls safe are asked, and none that carries a token: it might be redeemed. No cookie, token
or key is written. Names, addresses and texts of people are: a recording is as confidential as the data it shows.
"""

from contracts.record.choose import Choice, choose
from contracts.record.run import Recorder, RecordError
from contracts.record.sources import SourceError, Wanted, from_access_log, from_har, from_list

__all__ = [
    "Choice",
    "RecordError",
    "Recorder",
    "SourceError",
    "Wanted",
    "choose",
    "from_access_log",
    "from_har",
    "from_list",
]
