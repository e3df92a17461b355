# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile requests are answered in time, and never as a mistake of ours."""

from __future__ import annotations

import pytest

from contracts.corpus import Corpus
from loadtests.hostile_services import Sender, attack
from tests.servicetest import Service


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_a_mistake_of_ours(service: Service, corpus: Corpus, seed: int) -> None:
    port = service.server.port
    assert port is not None
    findings = await attack("127.0.0.1", port, Sender(seed, corpus.env["SECRET_KEY_BASE"]), 400)
    assert findings == []
    assert await service.status("/health") == 200


async def test_a_mistake_would_be_found(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise LookupError

    monkeypatch.setattr("services.kernel.http.Stack._context", broken)
    port = service.server.port
    assert port is not None
    assert await attack("127.0.0.1", port, Sender(1, None), 40)
