# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every recorded write against the stand-in that does what was recorded: all have to be equal. Takes some minutes.

python -m loadtests.verify_writes [CORPUS]: exit code 1 where one is not.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path

from banyan.embedded import ValkeyServer
from banyan.sampledb import SAMPLE, sample_server
from contracts.address import Address
from contracts.corpus import OWN_COPY, Corpus
from contracts.verify import Database, Listener, MailServer, Manner, Published, Stage, Verifier
from proxy.experiment.evidence import Evidence
from proxy.experiment.outcome import Outcome
from proxy.experiment.tally import Tally
from tests.standin import StandIn, can_be_done

_WORK = (
    "import sys, urllib.parse, urllib.request as r;"
    " r.urlopen(sys.argv[1] + '/' + urllib.parse.quote(sys.argv[2], safe=''))"
)


async def verify_all(database_url: str, redis_url: str, corpus: Corpus) -> Evidence:
    """The evidence of every case whose files the corpus holds."""
    stored = corpus.stored_by_digest
    cases = [case for case in corpus.writes() if can_be_done(case, stored)]
    tally = Tally()
    mail, hooks, redis = MailServer(), Listener(), Published((redis_url,))
    async with mail.listening("127.0.0.1", 0), hooks.listening("127.0.0.1", 0), redis:
        database = await Database.open(database_url, corpus)
        stand_in = StandIn(
            cases,
            database=database_url,
            redis=redis_url,
            smtp_port=mail.port,
            hooks=hooks.url,
            stored=stored,
        )
        async with stand_in.serving():
            jobs = shlex.join([sys.executable, "-c", _WORK, stand_in.url])
            stage = Stage(Address.of(stand_in.url), database, redis, mail, hooks)
            manner = Manner(settle=0.5, quiet=0.0, jobs=jobs)
            verifier = Verifier(stage, corpus, tally, manner)
            done = await verifier.run(cases)
        await database.close()
    print(f"{done.progress.done} of {done.progress.total} cases in {done.seconds:.0f} s", done.stopped or "")
    for skipped in verifier.skipped:
        print(f"not run: {skipped.case}: {skipped.reason}")
    return Evidence.of(tally.take())


def main() -> None:
    """Run them, and say what is not equal."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else OWN_COPY
    with sample_server(folder) as postgres, ValkeyServer() as valkey:
        evidence = asyncio.run(verify_all(postgres.url(SAMPLE), valkey.url(), Corpus.open(folder)))
    for endpoint in evidence.endpoints:
        for found in endpoint.findings:
            sample = found.samples[0]
            print(
                f"{sample.request_id}: {sample.pointer} {found.kind}: {sample.control} | {sample.candidate}"
            )
    print(dict(evidence.outcomes))
    sys.exit(evidence.outcomes[Outcome.MATCH] != evidence.comparisons)


if __name__ == "__main__":
    main()
