# SPDX-License-Identifier: AGPL-3.0-or-later
"""The composition root: all verticals in one application, and the processes that run it.

    application   routes, targets of edges, database and clock → an aiohttp application; `/health` and
    `/ready` worker        one process that answers requests, told and watched by its parent parent
    binds the address, keeps the workers running, answers the admin address

A worker ends when its parent does, however that ends; requests under way are answered first.
"""
