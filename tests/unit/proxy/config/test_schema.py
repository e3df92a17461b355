# SPDX-License-Identifier: AGPL-3.0-or-later
"""The schemas for editors are up to date, and every key is documented."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from proxy.config.catalogue import WrittenCatalogue
from proxy.config.record import all_keys
from proxy.config.schema import catalogue_schema, routing_schema
from proxy.config.written import Written
from proxy.routing import Reason
from proxy.routing.plan import RiskCode

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("name", "schema"),
    [("routing", routing_schema()), ("routes", catalogue_schema())],
    ids=["routing", "routes"],
)
def test_the_shipped_schema_is_up_to_date(name: str, schema: dict[str, object]) -> None:
    file = ROOT / "schemas" / f"{name}.schema.json"
    assert json.loads(file.read_text(encoding="utf-8")) == schema, f"run: banyan schema {name} > {file.name}"


def test_every_key_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z_.*]+)` \|", text, re.MULTILINE))
    declared = {path for root in (Written, WrittenCatalogue) for path, _ in all_keys(root)}
    assert documented == declared


def test_every_reason_and_risk_is_documented() -> None:
    text = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")
    assert [code for code in [*Reason, *RiskCode] if f"`{code}`" not in text] == []


def test_the_shipped_files_name_their_schemas() -> None:
    for name in ("routing", "routes"):
        first = (ROOT / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
        assert first == f"# yaml-language-server: $schema=schemas/{name}.schema.json"


def test_every_declared_key_says_what_it_is_for() -> None:
    for root in (Written, WrittenCatalogue):
        assert [path for path, key in all_keys(root) if not key.about.endswith((".", "?"))] == []
