# SPDX-License-Identifier: AGPL-3.0-or-later
"""The first endpoints answer what the recorded application answered, to everybody who was recorded asking."""

from __future__ import annotations

import gzip
import json

import pytest

from contracts.compare import Answer, differences
from contracts.corpus import Corpus
from tests.servicetest import Service, running_service

ENDPOINTS = [
    "boot#version",
    "groups#count_explore_results",
    "groups#index",
    "groups#subgroups",
    "groups#suggest_handle",
    "profile#groups",
    "reactions#index",
    "versions#show",
]

UNORDERED = {"groups#subgroups", "profile#groups"}
"""Where Loomio leaves the order of rows to PostgreSQL, so that not even its own bytes stay the same."""

NOT_COMPARED = ("set-cookie", "x-request-id", "x-runtime")


def header(answer: Answer, name: str) -> str | None:
    return next((value for one, value in answer.headers if one.lower() == name), None)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_every_recorded_case_is_answered_as_recorded(
    endpoint: str, corpus: Corpus, sample_url: str
) -> None:
    cases = [case for case in corpus.reads() if case.endpoint == endpoint]
    assert cases
    wrong: list[str] = []
    async with running_service(corpus, sample_url) as service:
        for case in cases:
            found = differences(case, await service.replay(case))
            if found:
                wrong.append(f"{case.actor} {case.request.path}: {found}")
    assert not wrong, "\n".join(wrong)


async def test_bytes_and_tags_are_those_rails_sent(corpus: Corpus, sample_url: str) -> None:
    """A client that goes to and fro between both sides keeps what it has cached."""
    ordered = set(ENDPOINTS) - UNORDERED
    exchanges = [one for one in corpus.wire() if one.endpoint in ordered and one.form == "plain"]
    assert {one.endpoint for one in exchanges} == ordered
    bodies = [one.response.encode("latin-1").partition(b"\r\n\r\n")[2] for one in exchanges]
    release = next(json.loads(body)["release"] for body in bodies if b"release" in body)
    async with running_service(corpus, sample_url, RELEASE=release) as service:
        for exchange, body in zip(exchanges, bodies, strict=True):
            path = exchange.request.split(" ")[1]
            answer = await service.get(path, exchange.actor)
            assert answer.body == body
            recorded = exchange.response.partition("\r\n\r\n")[0].split("\r\n")[1:]
            kept = [line for line in recorded if line.split(":")[0] not in NOT_COMPARED]
            sent = [f"{name.lower()}: {value}" for name, value in answer.headers]
            assert [line for line in sent if line in kept] == kept
            await check_other_forms(service, path, exchange.actor, answer)


async def check_other_forms(service: Service, path: str, actor: str, plain: Answer) -> None:
    """Not modified, compressed, and without a body."""
    tag = header(plain, "etag")
    assert tag is not None
    again = await service.get(path, actor, {"If-None-Match": tag})
    assert (again.status, again.body, header(again, "etag")) == (304, b"", tag)
    packed = await service.get(path, actor, {"Accept-Encoding": "gzip, br", "If-None-Match": tag})
    assert gzip.decompress(packed.body) == plain.body
    assert (header(packed, "etag"), header(packed, "cache-control")) == (None, "no-cache")
    only_head = await service.get(path, actor, method="HEAD")
    assert (only_head.status, only_head.body, header(only_head, "etag")) == (200, b"", tag)
