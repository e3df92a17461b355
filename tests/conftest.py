# SPDX-License-Identifier: AGPL-3.0-or-later
"""What any test may ask for: real servers (one of each per test process) and databases of its own."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from banyan.embedded import PostgresServer, ValkeyServer
from banyan.migrations import migrate
from banyan.sampledb import SAMPLE, sample_server
from contracts.corpus import OWN_COPY, Corpus

# No test is timed: a busy machine must not fail what is right.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL whose database `sample` holds the recorded data and schema `banyan`; take copies, never that one."""
    with sample_server(OWN_COPY) as server:
        yield server


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """The project's own recordings."""
    return Corpus.open()


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """A Valkey for the whole test process; keep to keys of your own."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
async def sample_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of a database of this test alone, holding the recorded data and schema `banyan`."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield await postgres.create_database(name, SAMPLE)
    await postgres.drop_database(name)


@pytest.fixture
async def banyan_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of a database of this test alone, with schema `banyan` and nothing else."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    url = await postgres.create_database(name)
    await migrate(url)
    yield url
    await postgres.drop_database(name)
