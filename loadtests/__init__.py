# SPDX-License-Identifier: AGPL-3.0-or-later
"""Programs that load the edge and measure it. Not part of the distribution."""
