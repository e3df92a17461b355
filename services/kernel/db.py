# SPDX-License-Identifier: AGPL-3.0-or-later
"""Connections to Rails' database.

A process has one pool; a request has one `Session`, which takes a connection at its first statement and
gives it back at its end.

    rows = await queries(session, id=1)                 # reading: one transaction that can only read
    done = await session.atomically(lambda: write(…))   # writing: a transaction, repeated where it collided

Invariants
    * What only reads runs in one `READ ONLY` transaction from its first statement to its end, and so does
      everything that a comparison asks for (`X-Banyan-Shadow`): PostgreSQL itself refuses to write there.
    * What may write has no transaction but those of `atomically`. A serialization failure or a deadlock
      repeats the whole action, a few times; what was registered by `after_commit` in a failed try is
      forgotten.
    * PostgreSQL being away, slow or full is one error, `UnavailableError`: the request may be repeated in a
      moment. A connection that turns out to be dead at its first use is replaced, since nothing was done on
      it yet.
    * Nothing changes a connection's state outside of a transaction, and without prepared statements no
      statement runs outside of one, so PgBouncer may lend connections by the transaction. What is said of
      plans when a connection is made goes with prepared statements: PgBouncer takes neither.

The pool opens connections as they are needed, so services start without a database and say so in `/ready`
(`readiness`).
Budget: a process holds at most `pool_size` connections (and one more where it listens), so PostgreSQL must
have room for workers times that, beside Rails' own.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import asyncpg

from services.kernel import columns
from services.kernel.columns import Connection
from services.kernel.errors import ReadOnlyError, UnavailableError
from services.kernel.settings import DatabaseSettings
from services.kernel.sql import Statement

Answer = TypeVar("Answer")

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server said farewell, and the driver has not noticed yet
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
"""What PostgreSQL or the way to it raises when it can't be used at the moment."""

POOLED = (
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.ProtocolViolationError,
)
"""What becomes of prepared statements, and of what is said of their plans, where a pooler lends connections."""

UNPREPARED = "behind a PgBouncer, DATABASE_URL needs ?prepared_statements=false"

COLLISIONS = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""What two transactions in each other's way get; the same action may work now."""

PLANS = {"plan_cache_mode": "force_generic_plan"}
"""Statements here find rows by keys, and planning one for the very keys costs more than running it: a prepared one
is planned once. So a statement must not depend on what its parameters are: two, rather than `:x IS NULL OR …` before
what finds the rows.
"""

CONNECT_SECONDS = 5.0
ROLLBACK_SECONDS = 2.0
TRIES = 4
"""How often `atomically` runs an action that collides."""
LONGEST_PAUSE = 0.2
"""Seconds before another try, at most; the pause is drawn, so that two that collided do not again."""


class ConstraintError(Exception):
    """A row that the schema refuses; `constraint` is the name of what it breaks."""

    def __init__(self, constraint: str) -> None:
        """Raised by statements; a handler that expects it says so."""
        super().__init__(constraint)
        self.constraint = constraint


OnSlow = Callable[[Statement, float, int], None]
"""Is told of a statement that took long: the statement, seconds, rows. Never of values."""


def _say_nothing(_statement: Statement, _seconds: float, _rows: int) -> None:
    """Where nobody wants to know."""


async def _keep(_connection: Connection) -> None:
    """Connections go back as they are; `Session.close` sees to it that no transaction is left open."""


class Database:
    """The pool of one process."""

    def __init__(
        self, pool: asyncpg.Pool[asyncpg.Record], settings: DatabaseSettings, on_slow: OnSlow = _say_nothing
    ) -> None:
        """Use `open`."""
        self._pool = pool
        self.settings = settings
        self.on_slow = on_slow
        self.something_to_tell = asyncio.Event()
        """Set once a transaction of this process held that left a row in the outbox."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: DatabaseSettings, on_slow: OnSlow = _say_nothing
    ) -> AsyncIterator[Database]:
        """A pool that closes at the end, after its connections came back (within the statements' time)."""
        prepared = settings.prepared_statements
        pool = asyncpg.create_pool(
            settings.url,
            min_size=0,
            max_size=settings.pool_size,
            init=columns.teach,
            reset=_keep,
            timeout=CONNECT_SECONDS,
            command_timeout=settings.timeout,
            statement_cache_size=100 if prepared else 0,
            server_settings={"application_name": "banyan-services", **(PLANS if prepared else {})},
        )
        await pool
        try:
            yield cls(pool, settings, on_slow)
        finally:
            try:
                await asyncio.wait_for(pool.close(), settings.timeout)
            except TimeoutError:
                pool.terminate()

    @asynccontextmanager
    async def session(self, *, reads_only: bool = False) -> AsyncIterator[Session]:
        """The statements of one request, or of one job."""
        session = Session(self, reads_only=reads_only)
        try:
            yield session
        finally:
            await session.close()

    def connections(self) -> dict[str, int]:
        """How many connections there are, by what they do."""
        idle = self._pool.get_idle_size()
        return {"idle": idle, "busy": self._pool.get_size() - idle}

    async def take(self, begin: str) -> Any:
        """A connection on which the statement `begin` ran, if only `SELECT`. What is dead is thrown away on the way.

        Raises what is in `AWAY`.
        """
        for left in range(self.settings.pool_size, -1, -1):
            connection = await self._pool.acquire(timeout=self.settings.timeout)
            try:
                await connection.execute(begin)
            except asyncpg.InternalClientError:
                _end(connection)
                await self.give_back(connection)
                if not left:
                    raise ConnectionResetError("every connection is broken") from None
            except BaseException as error:
                broken = _is_dead(connection)
                await self.give_back(connection)
                if not (left and broken and isinstance(error, AWAY)):
                    raise
            else:
                return connection
        raise AssertionError("the loop ends by returning or raising")

    async def give_back(self, connection: Any) -> None:
        """Return a connection; what broke on the way was told by the statement that met it."""
        with suppress(*AWAY):
            await self._pool.release(connection)


def _is_dead(connection: Any) -> bool:
    """Whether a connection can't be used any more. The pool takes one back itself as soon as it hears of its end."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


def _end(connection: Any) -> None:
    """Close a connection without a word to the server, unless the pool did."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


class Session:
    """Runs the statements of one request, on one connection, one after the other."""

    def __init__(self, database: Database, *, reads_only: bool) -> None:
        """Use `Database.session`. Nothing is taken from the pool yet."""
        self._database = database
        self.reads_only = reads_only
        """Whether PostgreSQL refuses to write here."""
        self._connection: Any = None
        self._after: list[Callable[[], Awaitable[None]]] | None = None
        self._points = itertools.count(1)
        self.queries = 0
        """How many statements ran, those that open and end transactions apart."""
        self.seconds = 0.0
        """How long they took, with the wait for a connection."""

    async def fetch(self, statement: Statement, arguments: list[Any]) -> list[Any]:
        """All rows. Raises `UnavailableError`, `ConstraintError`, `ReadOnlyError`."""
        began = time.perf_counter()
        rows: list[Any] = []
        try:
            with _translated():
                if self._connection is None:
                    self._connection = await self._database.take(
                        "BEGIN READ ONLY" if self.reads_only else "SELECT"
                    )
                if self.is_in_transaction or self._database.settings.prepared_statements:
                    rows = await self._connection.fetch(statement.text, *arguments)
                else:
                    async with self._connection.transaction():
                        rows = await self._connection.fetch(statement.text, *arguments)
            return rows
        finally:
            seconds = time.perf_counter() - began
            self.queries += 1
            self.seconds += seconds
            if seconds >= self._database.settings.slow_seconds:
                self._database.on_slow(statement, seconds, len(rows))

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open. With its connection it is gone."""
        connection = self._connection
        return connection is not None and not _is_dead(connection) and bool(connection.is_in_transaction())

    async def atomically(self, action: Callable[[], Awaitable[Answer]]) -> Answer:
        """Run `action` in one transaction: all its statements hold, or none. Within another, part of that.

        An action that collides with another transaction runs again from its beginning, up to `TRIES` times
        in all; it must not have done anything but statements (use `after_commit` for that). Raises
        `UnavailableError` when it collides to the end or PostgreSQL is away, and `ReadOnlyError` in a session
        that only reads.
        """
        if self.reads_only:
            raise ReadOnlyError
        if self._after is not None:
            return await action()
        for left in range(TRIES - 1, -1, -1):
            self._after = []
            try:
                answer = await self._try(action)
                after = self._after
            except _CollisionError:
                if not left:
                    raise
            else:
                self._after = None
                for one in after:
                    await one()
                return answer
            finally:
                self._after = None
            await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))
        raise AssertionError("the loop ends by returning or raising")

    async def _try(self, action: Callable[[], Awaitable[Answer]]) -> Answer:
        with _translated():
            if self._connection is None:
                self._connection = await self._database.take("BEGIN")
            else:
                await self._connection.execute("BEGIN")
        try:
            answer = await action()
        except BaseException:
            await self._roll_back()
            raise
        with _translated():
            await self._connection.execute("COMMIT")
        return answer

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Within `atomically`: what fails in here is undone alone, and the transaction can go on."""
        name = f"point_{next(self._points)}"
        with _translated():
            await self._connection.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            with suppress(*AWAY, asyncpg.PostgresError):
                await self._connection.execute(f"ROLLBACK TO {name}")
            raise
        with _translated():
            await self._connection.execute(f"RELEASE {name}")

    async def after_commit(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do `act` once the transaction under way has held; at once where there is none."""
        if self._after is None:
            await act()
        else:
            self._after.append(act)

    async def wake_publisher(self) -> None:
        """Have this process's publisher look at the outbox now."""
        self._database.something_to_tell.set()

    async def _roll_back(self) -> None:
        """End an open transaction, or the connection, where that can't be done in time."""
        if not self.is_in_transaction:
            return
        try:
            async with asyncio.timeout(ROLLBACK_SECONDS):
                await self._connection.execute("ROLLBACK")
        except BaseException as error:
            _end(self._connection)
            if not isinstance(error, (*AWAY, asyncpg.PostgresError)):
                raise

    async def close(self) -> None:
        """Give the connection back, without a transaction on it. A later statement takes one anew: whoever waits for
        something else in between does so empty-handed.
        """
        if self._connection is not None:
            try:
                await self._roll_back()
            finally:
                connection, self._connection = self._connection, None
                await self._database.give_back(connection)


class _CollisionError(UnavailableError):
    """Carries a collision from a statement to `atomically`."""


class _translated:  # noqa: N801 (read as a verb: `with _translated()`; a class costs less than a generator)
    """Tells what PostgreSQL raises in our words, once, here."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None:
            return
        if isinstance(error, COLLISIONS):
            raise _CollisionError(f"PostgreSQL: {type(error).__name__}") from error
        if isinstance(error, asyncpg.IntegrityConstraintViolationError):
            raise ConstraintError(error.constraint_name or type(error).__name__) from error
        if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            raise ReadOnlyError from error
        if isinstance(error, POOLED):
            raise UnavailableError(f"PostgreSQL: {type(error).__name__}; {UNPREPARED}") from error
        if isinstance(error, AWAY):
            raise UnavailableError(f"PostgreSQL: {type(error).__name__}") from error
