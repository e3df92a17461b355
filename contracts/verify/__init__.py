# SPDX-License-Identifier: AGPL-3.0-or-later
"""Recorded writes, done again: what another implementation answers, writes, publishes and mails.

For each case:

1. the database is what the corpus holds, Redis is empty (`database`, `pubsub`); the case's setup is run;
2. its steps are sent as their people's browsers did, later ones with the tokens of this run (`sender`, `lessons`);
3. what came of it is collected: rows of all tables by primary key, everything published, the keys that are left, mails
   (`smtp`, `mailfacts`), posts to web hooks (`outgoing`);
4. it is laid beside the recording (`compare`), new rows paired by what they say (`pairing`, `ids`);
5. rows and sequences are laid back.

Invariants: nothing is compared that the recording marks as noise, but its presence and type; a case that cannot be run
is counted and said; a database that does not hold the corpus is refused.
"""

from contracts.verify.case import CaseNotRunError, Manner, Stage
from contracts.verify.database import Database, DatabaseError
from contracts.verify.outgoing import RECORDED_AT, Listener
from contracts.verify.pubsub import Published, RedisFailedError
from contracts.verify.run import Skipped, Verifier
from contracts.verify.smtp import MailServer

__all__ = [
    "RECORDED_AT",
    "CaseNotRunError",
    "Database",
    "DatabaseError",
    "Listener",
    "MailServer",
    "Manner",
    "Published",
    "RedisFailedError",
    "Skipped",
    "Stage",
    "Verifier",
]
