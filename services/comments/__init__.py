# SPDX-License-Identifier: AGPL-3.0-or-later
"""Comments, as far as others ask whether somebody may see them.

Tables: `comments`. Routes: none yet. A comment is seen by whoever sees its thread, unless it was discarded.
"""
