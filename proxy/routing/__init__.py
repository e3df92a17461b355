# SPDX-License-Identifier: AGPL-3.0-or-later
"""What runs: which route a request means, and which side answers it. Pure: no network, no clock, no chance of its own.

    WrittenConfig ─ compile_table ─→ Table (immutable; pickled to the workers)
    method, path ─ Table.match ─→ Route      by a path tree that agrees with Rails' first match
    request ─ decide ─→ Decision             route → hidden method → kill → keep → pin → bucket → health

Invariants: a `Table` is replaced as a whole and never changed; a request keeps the one it began with. A subject's
bucket depends on the salt and the subject alone, so raising a share moves nobody back. A cookie that cannot be read
is no user.

Words: a *subject* is whom a bucket is drawn for; a *bucket* is one of 10,000 equal parts of all subjects; a
*threshold* is a share counted in buckets; a *reason* says which rule decided.
"""

from proxy.routing.buckets import bucket_of
from proxy.routing.compile import compile_table
from proxy.routing.lane import Reason
from proxy.routing.split import Decision, decide
from proxy.routing.subject import BUCKET_COOKIE, SubjectReader
from proxy.routing.table import Address, Backend, Group, Guards, Route, Table

__all__ = [
    "BUCKET_COOKIE",
    "Address",
    "Backend",
    "Decision",
    "Group",
    "Guards",
    "Reason",
    "Route",
    "SubjectReader",
    "Table",
    "bucket_of",
    "compile_table",
    "decide",
]
