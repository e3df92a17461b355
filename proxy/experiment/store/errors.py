# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can go wrong with the store; foreign errors are translated here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

_BROKEN = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.SyntaxOrAccessError,
)
_NO_SCHEMA = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InvalidSchemaNameError)
_NOT_LET_IN = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


class StoreError(Exception):
    """The store did not do what was asked; nothing of it was done. `code` is stable, and a metric label:
    `store-away` (try again), `store-schema` (migrate), `store-refused` (user, database or rights are wrong),
    `store-broken` (these data can't be written; trying again is no use)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def passing(self) -> bool:
        """Whether the same may succeed later."""
        return self.code != "store-broken"


@contextmanager
def translated() -> Iterator[None]:
    """Raises `StoreError` for whatever PostgreSQL, or the way to it, raises."""
    try:
        yield
    except _NO_SCHEMA as error:
        raise StoreError(
            "store-schema", f"the database lacks Banyan's tables ({error}); run banyan migrate --url …"
        ) from error
    except _NOT_LET_IN as error:
        raise StoreError(
            "store-refused", f"PostgreSQL does not let us in ({error}); check BANYAN_DATABASE_URL"
        ) from error
    except (*_BROKEN, ValueError) as error:  # asyncpg says ValueError of what it can't send, and of URLs
        raise StoreError("store-broken", f"these data or this URL can't be used: {error}") from error
    # Whatever else there is (restarts, failovers, poolers, full disks, deadlocks) may be over in a moment.
    except (
        OSError,
        TimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    ) as error:
        reason = str(error) or type(error).__name__
        raise StoreError("store-away", f"PostgreSQL can't be reached or used: {reason}") from error
