# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing in, out and up: every recorded case is done again and laid beside the recording, with rows and mails."""

from __future__ import annotations

from banyan.embedded import ValkeyServer
from contracts.address import Address
from contracts.corpus import Corpus, Write
from contracts.verify import Database, Listener, MailServer, Manner, Published, Stage
from contracts.verify.case import CaseRun
from tests.servicetest import running_service

ENDPOINTS = {
    "boot#site",
    "login_tokens#create",
    "registrations#create",
    "registrations#oauth",
    "sessions#create",
    "sessions#destroy",
    "web/identities/oauth#create",
    "web/identities/oauth#destroy",
    "web/identities/saml#create",
}

NOT_YET = ("/invitations/", "/api/v1/announcements")
"""Paths of other verticals, which some of the recorded cases begin with."""

DELIBERATE = {
    "sessions#create anonymous code": {"/rows/login_tokens/insert/0/used"},
    "sessions#create anonymous code twice": None,
    "sessions#create anonymous stale code": None,
    "registrations#create anonymous then the code": {"/rows/login_tokens/insert/0/used"},
}
"""Codes work once here, and for a day: places that differ for it, or all of the case."""

ORDER_OF_NOTHING = "/value/group_ids"
"""Loomio's query has no order: the recorded one is that of the rows on the disk."""


def is_ours(case: Write) -> bool:
    """Whether all steps of a case are served here."""
    return case.endpoint in ENDPOINTS and not any(
        step.request.path.startswith(NOT_YET) for step in case.steps
    )


def release_of(cases: list[Write]) -> str:
    """What the recorded application said its release was."""
    bodies = (step.response.parsed_body() for case in cases for step in case.steps)
    return next(str(body["release"]) for body in bodies if isinstance(body, dict) and "release" in body)


async def test_every_recorded_case_does_what_was_recorded(
    corpus: Corpus, sample_url: str, valkey: ValkeyServer
) -> None:
    cases = [case for case in corpus.writes() if is_ours(case)]
    assert {case.endpoint for case in cases} == ENDPOINTS
    database = await Database.open(sample_url, corpus, overwrite=True)
    mail, outgoing = MailServer(), Listener()
    wrong: list[str] = []
    redis_url = valkey.url(3)
    async with (
        mail.listening("127.0.0.1", 0),
        outgoing.listening("127.0.0.1", 0),
        Published((redis_url,), overwrite=True) as redis,
        running_service(
            corpus,
            sample_url,
            REDIS_URL=redis_url,
            SMTP_SERVER="127.0.0.1",
            SMTP_PORT=str(mail.port),
            RELEASE=release_of(cases),
            BANYAN_NOW="",
            OAUTH_TOKEN_URL=f"{outgoing.url}/oauth/token",
            OAUTH_PROFILE_URL=f"{outgoing.url}/oauth/profile",
        ) as service,
    ):
        server = Address.of(f"http://127.0.0.1:{service.server.port}")
        stage = Stage(server, database, redis, mail, outgoing)
        for case in cases:
            await database.restore()
            ran = await CaseRun(case, stage, Manner(), corpus.sessions, corpus.stored_by_digest).run()
            assert ran.failure is None, case.id
            deliberate = DELIBERATE.get(case.id, set())
            found = [
                str(one)
                for one in ran.differences
                if deliberate is not None
                and one.pointer not in deliberate
                and not one.pointer.endswith(ORDER_OF_NOTHING)
            ]
            if deliberate != set():
                assert ran.differences, f"{case.id} does not differ any more"
            if found:
                wrong.append(f"{case.id}: {found}")
    await database.close()
    assert not wrong, "\n".join(wrong)
