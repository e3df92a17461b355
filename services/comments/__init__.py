# SPDX-License-Identifier: AGPL-3.0-or-later
"""Comments, as far as others ask what somebody may do with them.

Tables: `comments`. Routes: none yet. A comment is seen by whoever sees its thread, unless it was discarded; in a
closed thread nobody says, changes or takes away anything.
"""
