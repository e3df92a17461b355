# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan contracts report` and its approvals on a real store: exit codes, narrowing, forms, and no secret anywhere."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from banyan.cli import app
from contracts.report import Format
from proxy.experiment.outcome import Comparison, Outcome, Severity, Why
from proxy.experiment.store import Store
from tests.evidence import MATCH, a_finding, a_pair, mismatch, tallied

NOW = time.time()

SECRETS = (
    "s3cr3t-cookie-value",
    "hunter2pass",
    "ada@example.org",
    "ak_live_51H8xYz0123456789",
    "0aF4kQ9xVw3ZtR7uLmN2",
)


async def contracts(*arguments: str, **environment: str) -> Result:
    return await asyncio.to_thread(
        CliRunner().invoke, app, ["contracts", *arguments], env={"COLUMNS": "120", **environment}
    )


async def fill(url: str, *added: tuple[Any, Comparison]) -> None:
    async with Store.open(url) as store:
        await store.write(tallied(*added))


async def test_exit_codes_tell_clean_findings_and_nothing(banyan_url: str) -> None:
    report = ("report", "--database-url", banyan_url)
    nothing = await contracts(*report)
    assert nothing.exit_code == 3
    assert "Nothing was compared" in nothing.stdout
    await fill(banyan_url, (a_pair(at=NOW), Comparison(Outcome.NOT_COMPARABLE, Why.RACED)))
    assert (await contracts(*report)).exit_code == 3
    await fill(banyan_url, (a_pair(at=NOW), MATCH))
    assert (await contracts(*report)).exit_code == 0
    await fill(banyan_url, (a_pair(at=NOW), mismatch(a_finding(severity=Severity.WARN))))
    assert (await contracts(*report)).exit_code == 0
    assert (await contracts(*report, "--fail-on", "warn")).exit_code == 1
    await fill(banyan_url, (a_pair(at=NOW), mismatch(a_finding("/body/other"))))
    found = await contracts("report", BANYAN_DATABASE_URL=banyan_url)
    assert found.exit_code == 1
    assert "1 open finding (ERR)" in found.stdout


async def test_an_approved_finding_does_not_fail_until_it_is_revoked(banyan_url: str) -> None:
    await fill(banyan_url, (a_pair(at=NOW), mismatch(a_finding(fingerprint="f1"))))
    store = ("--database-url", banyan_url)
    given = await contracts(
        "approve", "f1", "--reason", "a typo of old", "--by", "ada", "--until", "2999-01-01", *store
    )
    assert given.exit_code == 0
    shown = await contracts("report", *store)
    assert shown.exit_code == 0
    assert "approved by ada, until 2999-01-01 00:00 UTC: a typo of old" in shown.stdout
    assert (
        "f1  until 2999-01-01 00:00 UTC  ada: a typo of old" in (await contracts("approvals", *store)).stdout
    )
    assert json.loads((await contracts("approvals", "--json", *store)).stdout)[0]["by"] == "ada"
    assert (await contracts("revoke", "f1", *store)).exit_code == 0
    assert (await contracts("revoke", "f1", *store)).exit_code == 1
    assert (await contracts("report", *store)).exit_code == 1


async def test_approvals_of_a_file_count_too(banyan_url: str, tmp_path: Path) -> None:
    await fill(banyan_url, (a_pair(at=NOW), mismatch(a_finding(fingerprint="f1"))))
    file = tmp_path / "approvals.yaml"
    file.write_text("approvals: [{fingerprint: f1, by: ada, reason: fine}]")
    assert (await contracts("report", "--database-url", banyan_url, "--approvals", str(file))).exit_code == 0


async def test_narrowing(banyan_url: str) -> None:
    await fill(
        banyan_url,
        (a_pair(at=NOW), MATCH),
        (a_pair("polls#index", at=NOW - 90_000, build="b0", group="polls"), mismatch()),
    )

    async def code(*arguments: str) -> int:
        return (await contracts("report", "--database-url", banyan_url, *arguments)).exit_code

    assert await code() == 1
    assert await code("--route", "tags#*") == 0
    assert await code("--since", "24h") == 0
    assert await code("--build", "b0") == 1
    assert await code("--group", "polls") == 1
    assert await code("--group", "nobody") == 3
    assert await code("--since", "2999-01-01") == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("report", "--format", "pdf"), "table, markdown, html, json, junit"),
        (("report", "--fail-on", "BAD"), "ERR, WARN, INFO"),
        (("report", "--since", "soon"), "write 24h"),
        (("report", "--approvals", "nowhere.yaml"), "nowhere.yaml"),
        (("report", "--corpus", "nowhere"), "nowhere"),
        (("report",), "BANYAN_DATABASE_URL"),
        (("report", "--database-url", "postgres://x:hush@127.0.0.1:1/x"), "store-away"),
        (("approve", "f1", "--reason", " "), "--reason is empty"),
        (("approve", "f1", "--reason", "x", "--until", "2001-01-01"), "is past"),
    ],
)
async def test_wrong_use_is_told_with_its_remedy(arguments: tuple[str, ...], says: str) -> None:
    result = await contracts(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "hush" not in result.output


async def test_no_planted_secret_gets_into_the_store_or_any_report(banyan_url: str, tmp_path: Path) -> None:
    cookie, password, mail, key, token = SECRETS
    pair = a_pair(
        target=f"/api/v1/users/{mail}?api_key={key}&q={mail}&unsubscribe_token={token}&{mail}=1&{token}",
        headers=(
            ("Cookie", f"_loomio_session={cookie}; remember={token}"),
            ("Authorization", f"Bearer {token}"),
            ("X-Api-Key", key),
            ("X-CSRF-Token", token),
            ("Referer", f"https://x/?token={token}"),
            ("User-Agent", mail),
        ),
        at=NOW,
    )
    values = [
        ("/body/users/*/email", mail, f"x{mail}"),
        ("/body/user/password", password, None),
        (f"/body/{mail}/count", 1, 2),
        (
            "/body/users",
            [{"email": mail, "api_key": key}],
            {"token": token, "deep": [{"secret": password, mail: mail}]},
        ),
        ("/cookies/_loomio_session/value", cookie, token),
        ("/headers/location", f"https://x/join/{token}?token={token}", f"https://{mail}/"),
        (
            "/body/html",
            f"<a href='/?unsubscribe_token={token}'>{mail}</a>",
            f"the key {key}, the pass {password}",
        ),
    ]
    findings = [a_finding(*value, fingerprint=f"f{number}") for number, value in enumerate(values)]
    await fill(banyan_url, (pair, mismatch(*findings)))
    texts = [await dumped(banyan_url)]
    for form in Format:
        file = tmp_path / form
        arguments = ("--database-url", banyan_url, "--format", form, "--output", str(file))
        assert (await contracts("report", *arguments)).exit_code == 1
        texts.append(file.read_text())
    for text in texts:
        assert "tags#index" in text.replace("\\", "")
        assert [secret for secret in SECRETS if secret in text] == []
    Xml.fromstring((tmp_path / "junit").read_text())


async def dumped(url: str) -> str:
    """Everything that schema `banyan` holds, as text."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'banyan' ORDER BY 1"
        )
        rows = [
            await connection.fetchval(
                f"SELECT string_agg(t::text, E'\\n') FROM banyan.{table['tablename']} AS t"
            )
            for table in tables
        ]
    finally:
        await connection.close()
    return "\n".join(text for text in rows if text)
