# SPDX-License-Identifier: AGPL-3.0-or-later
"""How large the diff store gets, how long a write holds it up, and how soon a report is there.

    python -m loadtests.store [--comparisons 2000000] [--edges 2] [--json FILE]

Comparisons of a busy month are made up (routes, people, builds, findings by seeded chance), added up by as many tallies
as there are edges, and written second by second, as edges do, into an own PostgreSQL. Then the store is measured, the
report made, and expiry run.
"""
