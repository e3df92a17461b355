# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can be seen of a running edge: counters (`metrics`), the last minute's figures (`window`), logs (`log`).

Workers count and note; the parent sums, renders and shows. Names of routes, groups and sides, and codes from the
source are labels; nothing that a client sent ever is.
"""
