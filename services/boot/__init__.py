# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the client asks before and while it runs.

Tables: none yet. Routes: `boot#version`, which clients poll to learn whether to load themselves anew.
"""
