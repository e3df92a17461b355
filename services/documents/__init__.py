# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documents and attachments: files and links that belong to a record.

Tables: none yet. Routes: none yet; the policy is there for whoever brings them.

Invariants
    * A document is uploaded before it belongs to a record; until then its rights are those of any verified person.
    * An attachment has no more than the group of its record to go by, and that must not be archived.
"""
