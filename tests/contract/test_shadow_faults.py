# SPDX-License-Identifier: AGPL-3.0-or-later
"""Recorded answers through a shadowing edge: each fault of the new side is found for what it is, and none where there
is none.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.corpus import Corpus
from contracts.playback import Playback
from contracts.traffic import ReadyRequest, recorded_requests
from proxy.config.load import load
from proxy.config.written import CatalogueRow
from tests.proxytest.backend import Asked, Script, always, answer, backends
from tests.proxytest.client import RawClient, fetch
from tests.proxytest.edge import edge_process
from tests.proxytest.shadow import Shadowing

ROOT = Path(__file__).parents[2]
JSON = b"Content-Type: application/json; charset=utf-8\r\n"


def shadowed(folder: Path, legacy: str, python: str, *, more: str, percent: int = 0) -> Path:
    """The shipped configuration with every share at `percent`, all that may be compared compared."""
    (folder / "routes.yaml").write_bytes((ROOT / "routes.yaml").read_bytes())
    (folder / "contracts").mkdir(exist_ok=True)
    (folder / "contracts" / "rules.yaml").write_bytes((ROOT / "contracts" / "rules.yaml").read_bytes())
    text = (ROOT / "routing.yaml").read_text()
    text = re.sub(r"percent: [0-9.]+", f"percent: {percent}", text)
    text = re.sub(r"shadow: [0-9.]+", "shadow: 100", text)
    text = re.sub(r"ramp: [a-z]+, ", "", text)
    text = re.sub(r"^ramps:\n(  .*\n)+", "", text, flags=re.MULTILINE)
    text = re.sub(r" *shadow: \{.*?\}.*\n", "", text)
    text = re.sub(r"health: \{.*?\}", "shadow: {rate: 100000/s, concurrency: 64}", text)
    text = text.replace("${LEGACY_URL}", legacy).replace("${PYTHON_URL}", python)
    file = folder / "routing.yaml"
    file.write_text(f"{text}\n{more}\n")
    return file


class Case:
    """A recorded answer that has everything a fault needs."""

    def __init__(self, ready: ReadyRequest, body: dict[str, Any], root: str) -> None:
        self.ready = ready
        self.body = body
        self.root = root
        row = body[root][0]
        self.text = next(name for name, value in row.items() if isinstance(value, str) and value)
        self.number = next(
            name for name, value in row.items() if type(value) is int and name != "id" and value
        )
        self.null = next(name for name, value in row.items() if value is None)


def suitable(corpus: Corpus) -> Case:
    """The first recorded read whose answer holds a list of several rows with a text, a number and a null."""
    for ready in recorded_requests(corpus):
        response = ready.case.response
        if response.status != 200 or not ready.case.endpoint.startswith("events#index"):
            continue
        body = response.parsed_body()
        root = "events"
        if not isinstance(body, dict) or len(body.get(root, ())) < 3 or "$" in str(list(body)):
            continue
        try:
            return Case(ready, body, root)
        except StopIteration:
            continue
    raise AssertionError("the corpus has no such read")


def _changed(change: Callable[[Any, Case], None], case: Case) -> bytes:
    body = msgspec.json.decode(msgspec.json.encode(case.body))
    change(body, case)
    return msgspec.json.encode(body)


def _wrong_value(body: Any, case: Case) -> None:
    body[case.root][0][case.text] += "x"


def _missing_key(body: Any, case: Case) -> None:
    del body[case.root][0][case.text]


def _extra_key(body: Any, case: Case) -> None:
    body[case.root][0]["nobody_knows_me"] = 1


def _absent_for_null(body: Any, case: Case) -> None:
    del body[case.root][0][case.null]


def _null_for_value(body: Any, case: Case) -> None:
    body[case.root][0][case.text] = None


def _type_change(body: Any, case: Case) -> None:
    body[case.root][0][case.number] = str(body[case.root][0][case.number])


def _order_change(body: Any, case: Case) -> None:
    body[case.root].reverse()


def _truncated(body: Any, case: Case) -> None:
    del body[case.root][-1]


FAULTS: list[tuple[str, Callable[[Any, Case], None], str, str]] = [
    ("wrong value", _wrong_value, "/body/{root}/0/{text}", "value"),
    ("missing key", _missing_key, "/body/{root}/0/{text}", "missing"),
    ("extra key", _extra_key, "/body/{root}/0/nobody_knows_me", "extra"),
    ("absent for null", _absent_for_null, "/body/{root}/0/{null}", "missing"),
    ("null for a value", _null_for_value, "/body/{root}/0/{text}", "type"),
    ("type change", _type_change, "/body/{root}/0/{number}", "type"),
    ("order change", _order_change, "/body/{root}", "order"),
    ("truncated list", _truncated, "/body/{root}/{last}", "missing"),
]


async def _hang(_asked: Asked, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _reset(_asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()
    writer.transport.abort()


async def _slow(case: Case, writer: asyncio.StreamWriter) -> None:
    whole = answer(msgspec.json.encode(case.body), headers=JSON)
    for at in range(0, len(whole), len(whole) // 4 + 1):
        writer.write(whole[at : at + len(whole) // 4 + 1])
        await asyncio.sleep(0.05)


def _whole(case: Case) -> Script:
    async def script(_asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _slow(case, writer)

    return script


def _faulty(case: Case) -> list[tuple[str, Script, str, tuple[str, str] | None]]:
    """(name, what the new side does, the outcome, the finding's pointer and kind)."""
    names = {
        "root": case.root,
        "text": case.text,
        "null": case.null,
        "number": case.number,
        "last": str(len(case.body[case.root]) - 1),
    }
    right = msgspec.json.encode(case.body)
    page = answer(b"<p>hello</p>", headers=b"Content-Type: text/html\r\n")
    found: list[tuple[str, Script, str, tuple[str, str] | None]] = [
        (
            name,
            always(answer(_changed(change, case), headers=JSON)),
            "mismatch",
            (pointer.format(**names), kind),
        )
        for name, change, pointer, kind in FAULTS
    ]
    return [
        ("right", always(answer(right, headers=JSON)), "match", None),
        *found,
        ("wrong status", always(answer(right, b"404 Not Found", JSON)), "mismatch", ("/status", "status")),
        ("5xx", always(answer(right, b"500 Oops", JSON)), "error_one_side", ("/status", "status")),
        (
            "wrong content type",
            always(page),
            "not_comparable content_type",
            ("/headers/content-type", "value"),
        ),
        ("slow", _whole(case), "match", None),
        ("hung", _hang, "not_comparable timeout", None),
        ("reset", _reset, "error_one_side", ("/status", "status")),
        (
            "50 MB",
            always(answer(b"[" + b" " * 50_000_000 + b"]", headers=JSON)),
            "not_comparable too_large",
            None,
        ),
    ]


async def test_each_fault_is_found_for_what_it_is(tmp_path: Path) -> None:
    case = suitable(Corpus.open())
    request = case.ready.head("loomio.test")
    async with backends("legacy", "python") as (legacy, python):
        legacy.script = always(answer(msgspec.json.encode(case.body), headers=JSON))
        more = "shadowing: {timeout: 4s, noise: 0/s}"
        config = shadowed(tmp_path, legacy.url, python.url, more=more)
        async with edge_process(config, "--access-log", "off") as process:
            edge = Shadowing(process, config)
            outcomes: Counter[str] = Counter()
            seen: Counter[tuple[str, str]] = Counter()
            for count, (name, script, outcome, finding) in enumerate(_faulty(case), 1):
                python.script = script
                got = await fetch(edge.port, request)
                assert got.status == 200, name
                now = await edge.until_compared(count)
                (endpoint,) = (await edge.comparisons())["endpoints"]
                found = Counter(
                    {
                        (one["samples"][0]["pointer"], one["kind"]): sum(
                            each["times"] for each in one["sightings"]
                        )
                        for one in endpoint["findings"]
                    }
                )
                assert dict(now - outcomes) == {outcome: 1}, name
                assert dict(found - seen) == ({finding: 1} if finding else {}), name
                outcomes, seen = now, found


async def test_where_both_sides_are_right_everything_matches(tmp_path: Path) -> None:
    corpus = Corpus.open()
    # A part of them: all of them take a while where the comparing process gets little time.
    requests = [ready.head("loomio.test") for ready in recorded_requests(corpus)][::4]
    async with Playback(corpus).serve("127.0.0.1", 0) as side:
        config = shadowed(tmp_path, side.url, side.url, more="shadowing: {noise: 0/s}")
        async with edge_process(config, "--access-log", "off") as process:
            edge = Shadowing(process, config)
            client = await RawClient.open(edge.port)
            for request in requests:
                got = await client.ask(request)
                if got.value(b"connection") == b"close":
                    client.writer.close()
                    client = await RawClient.open(edge.port)
            client.writer.close()
            lifted = int(await edge.counted("banyan_edge_shadow_lifted_total"))
            kept = int(await edge.counted("banyan_edge_shadow_dropped_total", 'reason="kept"'))
            outcomes = await edge.until_compared(lifted - kept, seconds=60)
            findings = [one for each in (await edge.comparisons())["endpoints"] for one in each["findings"]]
    assert lifted > 600
    assert findings == []
    # Both sides answer 5xx where the recorded application did: said to be that, never a match.
    assert set(outcomes) <= {"match", "not_comparable error_both_sides"}, outcomes
    assert outcomes["match"] > 600, outcomes


def _concrete(pattern: str) -> str:
    """A path of a route: every optional part left out, every parameter filled in."""
    while "(" in pattern:
        pattern = re.sub(r"\([^()]*\)", "", pattern)
    return re.sub(r"[:*][a-z_]+", "7", pattern)


@pytest.mark.parametrize("percent", [0, 100])
async def test_no_write_and_no_unsafe_read_is_ever_repeated_over_all_routes(
    tmp_path: Path, percent: int
) -> None:
    config = shadowed(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:1", more="")
    loaded = load(config, {})
    assert loaded.config is not None, loaded.errors
    rows = loaded.config.rows
    async with backends("legacy", "python") as (legacy, python):
        config = shadowed(
            tmp_path, legacy.url, python.url, more="shadowing: {noise: 0/s, timeout: 5s}", percent=percent
        )
        async with edge_process(config, "--access-log", "off") as process:
            edge = Shadowing(process, config)
            client = await RawClient.open(edge.port)
            for row in rows:
                for method in row.methods or ("GET", "POST", "PUT", "PATCH", "DELETE"):
                    length = "" if method in ("GET", "HEAD") else "Content-Length: 0\r\n"
                    head = f"{method} {_concrete(row.path)} HTTP/1.1\r\nHost: loomio.test\r\n{length}\r\n"
                    got = await client.ask(head.encode())
                    assert got.status == 200
            client.writer.close()
            lifted = int(await edge.counted("banyan_edge_shadow_lifted_total"))
            await edge.until_compared(lifted, seconds=60)
        marked = {
            side.name: {
                one.message.start.split(b" ")[0].decode() + " " + one.target.decode()
                for one in side.asked
                if one.header(b"x-banyan-shadow")
            }
            for side in (legacy, python)
        }
        assert all(one.startswith("GET ") for asked in marked.values() for one in asked)
        allowed = {"legacy": ("safe",), "python": ("safe", "dry")}
        table = {_first(rows, target.split(" ")[1]) for asked in marked.values() for target in asked}
        assert None not in table
        for side, asked in marked.items():
            repeats = {str(_first(rows, target.split(" ")[1])) for target in asked}
            assert repeats <= set(allowed[side]), (side, repeats)
        assert len(marked["python" if percent == 0 else "legacy"]) > 40
        assert marked["legacy" if percent == 0 else "python"] == set()


def _first(rows: tuple[CatalogueRow, ...], path: str) -> str | None:
    """What may be done with the first GET route of the catalogue that was asked with this path."""
    for row in rows:
        if (not row.methods or "GET" in row.methods) and _concrete(row.path) == path:
            return str(row.repeat)
    return None
