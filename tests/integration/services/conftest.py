# SPDX-License-Identifier: AGPL-3.0-or-later
"""A service on a database of the test's own, and a factory for rows in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from banyan.embedded import PostgresServer
from banyan.sampledb import SAMPLE
from contracts.corpus import Corpus
from tests.factories import Factory
from tests.servicetest import Service, running_service


@pytest.fixture(scope="session")
def database_url(postgres: PostgresServer) -> str:
    """A copy of the recorded data for all tests here: they add rows of their own, and take none away."""
    return asyncio.run(postgres.create_database("services", SAMPLE))


@pytest.fixture
async def service(corpus: Corpus, database_url: str) -> AsyncIterator[Service]:
    """The services, running."""
    async with running_service(corpus, database_url) as running:
        yield running


@pytest.fixture
async def make(database_url: str) -> AsyncIterator[Factory]:
    """Makes rows in the database the services read."""
    connection = await asyncpg.connect(database_url)
    yield Factory(connection)
    await connection.close()
