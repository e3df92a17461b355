# SPDX-License-Identifier: AGPL-3.0-or-later
"""`can-i-shift` on the shipped groups, from recorded evidence: yes, no, and not enough, by exit code."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.corpus import Corpus, Read
from proxy.experiment.compare import Comparer
from proxy.experiment.judge import Rules
from proxy.experiment.observation import Asked, Observation, Pair
from proxy.experiment.store import Store
from proxy.experiment.tally import Tally
from tests.proxytest.backend import always, answer, backends
from tests.proxytest.edge import EdgeProcess, edge_process

ROOT = Path(__file__).resolve().parents[2]
BUILD = "b7"
COMPARED = 12_000
"""Enough to be sure that at most 0.1 % differ."""


def pair(case: Read, group: str, number: int, *, spoilt: bool = False) -> Pair:
    """A recorded answer as both sides' answer; `spoilt`: the new side says something else."""
    body = msgspec.json.encode({"spoilt": spoilt, "says": case.response.body})
    headers = (("content-type", "application/json"),)
    control = Observation(
        "legacy", 200, headers, msgspec.json.encode({"spoilt": False, "says": case.response.body})
    )
    candidate = Observation("python", 200, headers, body, build=BUILD)
    asked = Asked("GET", case.request.path, role="signed_in")
    return Pair(str(number), case.endpoint, group, 1, 1.9e9 + number, asked, control, candidate, "legacy")


def recorded(corpus: Corpus, *endpoints: str) -> Iterator[Read]:
    """Recorded successes of these endpoints, over and over."""
    cases = [case for case in corpus.reads() if case.endpoint in endpoints and case.response.status == 200]
    assert cases
    return cycle(cases)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped routing file, its catalogue and its rules, where nothing else lies."""
    folder = tmp_path_factory.mktemp("shipped")
    for name in ("routing.yaml", "routes.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(
        ROOT / "contracts", folder / "contracts", ignore=shutil.ignore_patterns("recordings", "*.py")
    )
    return folder / "routing.yaml"


@pytest.fixture
async def edge(shipped: Path, banyan_url: str, corpus: Corpus) -> AsyncIterator[EdgeProcess]:
    """The shipped configuration on a diff store that holds what recordings showed."""
    tally, comparer = Tally(), Comparer(Rules())
    equal = recorded(corpus, "events#index", "events#comment", "events#count")
    for number, case in enumerate(islice(equal, COMPARED)):
        one = pair(case, "events-reads", number)
        tally.add(one, comparer.compare(one))
    for number, case in enumerate(islice(recorded(corpus, "notifications#index"), 200)):
        one = pair(case, "notifications-reads", number, spoilt=number == 7)
        tally.add(one, comparer.compare(one))
    async with Store.open(banyan_url) as store:
        await store.write(tally.take())
    async with backends("legacy", "python") as (legacy, python):
        python.script = always(answer(b"{}", headers=f"X-Banyan-Build: {BUILD}\r\n".encode()))
        environ = {"LEGACY_URL": legacy.url, "PYTHON_URL": python.url, "BANYAN_DATABASE_URL": banyan_url}
        async with edge_process(shipped, "--access-log", "off", environ=environ) as running:
            yield running


async def banyan(edge: EdgeProcess, *arguments: str) -> tuple[int, Any]:
    """Exit code, and the answer."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "banyan.cli", *arguments, "--json", "--admin", edge.admin_url),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(out)


async def test_the_shipped_groups_are_judged_by_what_recordings_showed(edge: EdgeProcess) -> None:
    code, yes = await banyan(edge, "can-i-shift", "events-reads", "1")
    assert (code, yes["answer"]) == (0, "yes"), yes
    code, too_far = await banyan(edge, "can-i-shift", "events-reads", "50")
    assert (code, "the next step" in too_far["reasons"][0]) == (1, True)
    code, no = await banyan(edge, "can-i-shift", "notifications-reads", "1")
    assert (code, no["answer"]) == (1, "no"), no
    assert any("finding" in reason for reason in no["reasons"])
    code, unknown = await banyan(edge, "can-i-shift", "memberships-reads", "1")
    assert (code, unknown["answer"]) == (3, "not-enough-evidence"), unknown
    async with asyncio.timeout(30):  # until a health check told which build runs
        while (await edge.admin("/config"))["builds"]["python"] != BUILD:
            await asyncio.sleep(0.1)
    # Writes are never asked twice: what speaks for them is a proof from recordings.
    code, _ = await banyan(edge, "can-i-shift", "comments-writes", "1")
    assert code == 3
    for proven, expected in (("--green", 0), ("--red", 1)):
        code, _ = await banyan(
            edge, "rollout", "prove", "comments-writes", "--build", BUILD, "--cases", "9", proven
        )
        assert code == 0
        code, told = await banyan(edge, "can-i-shift", "comments-writes", "1")
        assert code == expected, told
