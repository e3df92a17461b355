# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a column's value is in Python, and how a connection is told so.

Rails keeps times as `timestamp` without a zone, meaning UTC, with microseconds: `datetime` without a zone.
`json` and `jsonb` are what `msgspec` reads, `hstore` a `dict` from text to text or None, `citext` text, and
enumerations of the database text. Types that nothing here reads as anything else (`tsvector`) are text.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import asyncpg
import msgspec

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_EXTENSION_TYPES = """
SELECT t.typname AS name, n.nspname AS schema
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE t.typname IN ('citext', 'hstore')
"""
_CODECS = {"citext": "text", "hstore": "pg_contrib.hstore"}


async def teach(connection: Connection) -> None:
    """Tell a new connection about JSON and the types of extensions, wherever these are installed.

    In a transaction, so that a PgBouncer that lends connections by the transaction keeps to one.
    """
    async with connection.transaction(readonly=True):
        for name in ("json", "jsonb"):
            await connection.set_type_codec(
                name, schema="pg_catalog", encoder=_encode_json, decoder=msgspec.json.decode
            )
        for row in await connection.fetch(_EXTENSION_TYPES):
            await connection.set_builtin_type_codec(
                row["name"], schema=row["schema"], codec_name=_CODECS[row["name"]]
            )


def _encode_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
