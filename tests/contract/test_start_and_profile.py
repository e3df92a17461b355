# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the client learns when it starts, and of whoever signs in: as recorded, for everybody who was recorded."""

from __future__ import annotations

import pytest

from banyan.embedded import ValkeyServer
from contracts.compare import differences
from contracts.corpus import Corpus
from tests.servicetest import running_service

ENDPOINTS = [
    "boot#site",
    "boot#version",
    "identities#command",
    "profile#email_exists",
    "profile#email_status",
    "profile#me",
    "web/identities/google",
    "web/identities/nextcloud",
    "web/identities/oauth",
    "web/identities/saml",
]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_every_recorded_case_is_answered_as_recorded(
    endpoint: str, corpus: Corpus, sample_url: str, valkey: ValkeyServer
) -> None:
    cases = [case for case in corpus.reads() if case.endpoint == endpoint]
    assert cases
    wrong: list[str] = []
    async with running_service(corpus, sample_url, REDIS_URL=valkey.url()) as service:
        for case in cases:
            found = differences(case, await service.replay(case))
            if found:
                wrong.append(f"{case.actor} {case.request.path}: {[str(one) for one in found]}")
    assert not wrong, "\n".join(wrong)
