# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rows of one's own in a copy of the recorded database: only what a test says differs from the defaults here.

Every function answers the new row's id. Names and keys are new each time.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import asyncpg

NOW = datetime(2031, 5, 1, 12, 0, 0, 123_987, tzinfo=UTC).replace(tzinfo=None)
"""When everything here was made (UTC, as columns have it)."""

_numbers = itertools.count(1)


class Factory:
    """Makes rows over one connection."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """`connection` stays the caller's."""
        self.connection = connection

    async def insert(self, table: str, **columns: Any) -> int:
        """A row of any table."""
        names = ", ".join(f'"{name}"' for name in columns)
        places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        statement = f'INSERT INTO "{table}" ({names}) VALUES ({places}) RETURNING id'
        key: int = await self.connection.fetchval(statement, *columns.values())
        return key

    async def update(self, table: str, key: int, **columns: Any) -> None:
        """Change some columns of a row."""
        changes = ", ".join(f'"{name}" = ${number}' for number, name in enumerate(columns, 2))
        statement = f'UPDATE "{table}" SET {changes} WHERE id = $1'
        await self.connection.execute(statement, key, *columns.values())

    async def user(self, **columns: Any) -> int:
        """Somebody with a verified address and a password."""
        number = next(_numbers)
        defaults = {
            "name": f"Person {number}",
            "email": f"person{number}@factory.example",
            "username": f"person{number}",
            "email_verified": True,
            "encrypted_password": f"$2a$10$factoryfactoryfactory{number:07d}rest-of-the-digest",
            "created_at": NOW,
        }
        return await self.insert("users", **defaults | columns)

    async def group(self, **columns: Any) -> int:
        """A group that only its members see."""
        number = next(_numbers)
        defaults = {
            "name": f"Group {number}",
            "key": f"gKey{number:04d}",
            "is_visible_to_public": False,
            "discussion_privacy_options": "private_only",
        }
        return await self.insert("groups", **defaults | columns)

    async def membership(self, group_id: int, user_id: int, **columns: Any) -> int:
        """An accepted membership."""
        return await self.insert(
            "memberships", **{"group_id": group_id, "user_id": user_id, "accepted_at": NOW} | columns
        )

    async def discussion(self, author_id: int, group_id: int | None = None, **columns: Any) -> int:
        """A private thread."""
        number = next(_numbers)
        defaults = {
            "title": f"Thread {number}",
            "key": f"dKey{number:04d}",
            "author_id": author_id,
            "group_id": group_id,
            "private": True,
        }
        return await self.insert("discussions", **defaults | columns)

    async def reader(self, discussion_id: int, user_id: int, **columns: Any) -> int:
        """A guest of a thread."""
        return await self.insert(
            "discussion_readers",
            **{"discussion_id": discussion_id, "user_id": user_id, "guest": True} | columns,
        )

    async def comment(self, discussion_id: int, user_id: int, **columns: Any) -> int:
        """A comment on the thread itself."""
        defaults = {
            "discussion_id": discussion_id,
            "user_id": user_id,
            "body": "Said",
            "parent_type": "Discussion",
            "parent_id": discussion_id,
        }
        return await self.insert("comments", **defaults | columns)

    async def poll(self, author_id: int, group_id: int | None = None, **columns: Any) -> int:
        """An open proposal."""
        number = next(_numbers)
        defaults = {
            "title": f"Poll {number}",
            "key": f"pKey{number:04d}",
            "poll_type": "proposal",
            "author_id": author_id,
            "group_id": group_id,
        }
        return await self.insert("polls", **defaults | columns)

    async def stance(self, poll_id: int, participant_id: int | None, **columns: Any) -> int:
        """A vote that is not cast yet."""
        return await self.insert(
            "stances", **{"poll_id": poll_id, "participant_id": participant_id} | columns
        )

    async def outcome(self, poll_id: int, author_id: int, **columns: Any) -> int:
        """What came of a poll."""
        return await self.insert(
            "outcomes", **{"poll_id": poll_id, "author_id": author_id, "statement": "So be it"} | columns
        )

    async def reaction(self, kind: str, key: int, user_id: int, **columns: Any) -> int:
        """A heart on the record `key` of the model `kind`."""
        defaults = {"reactable_type": kind, "reactable_id": key, "user_id": user_id, "reaction": ":heart:"}
        return await self.insert("reactions", **defaults | columns)

    async def version(self, kind: str, key: int, **columns: Any) -> int:
        """A step in the history of the record `key` of the model `kind`."""
        defaults = {"item_type": kind, "item_id": key, "event": "update", "created_at": NOW}
        return await self.insert("versions", **defaults | columns)

    async def picture(self, user_id: int, filename: str, content_type: str) -> int:
        """An uploaded picture of somebody; answers the blob's id."""
        return await self.file("User", user_id, "uploaded_avatar", filename, content_type)

    async def file(self, kind: str, key: int, name: str, filename: str, content_type: str) -> int:
        """A file at the record `key` of the model `kind`, called `name` there; answers the blob's id."""
        blob = await self.insert(
            "active_storage_blobs",
            key=f"factory-{next(_numbers)}",
            filename=filename,
            content_type=content_type,
            byte_size=1,
            service_name="local",
            created_at=NOW,
        )
        await self.insert(
            "active_storage_attachments",
            name=name,
            record_type=kind,
            record_id=key,
            blob_id=blob,
            created_at=NOW,
        )
        return blob

    async def password_of(self, user_id: int) -> str:
        """The encrypted password, whose beginning a session remembers."""
        password: str = await self.connection.fetchval(
            "SELECT encrypted_password FROM users WHERE id = $1", user_id
        )
        return password
