# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proxies as people usually write them in Python (aiohttp) and Node (http-proxy): what one gets without effort."""
