# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code: what brings it about, where it points, and that it is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy.config import Code, Position
from proxy.config.errors import WARNINGS, Findings
from proxy.config.nodes import MOST_BYTES
from tests.unit.proxy.config.routingfiles import CATALOGUE, HEAD, WITH_CATALOGUE, codes, load_text

DOC = Path(__file__).parents[4] / "docs" / "config-errors.md"
GROUP = "groups:\n  tags: "

# code → routing file, catalogue (None for none), line, column, and words of the message
EXAMPLES: dict[Code, tuple[str | bytes | None, str | None, int, int, str]] = {
    Code.FILE_UNREADABLE: (None, None, 1, 1, "cannot be read"),
    Code.FILE_TOO_LARGE: (b"#" * (MOST_BYTES + 1), None, 1, 1, "bytes"),
    Code.NOT_UTF8: (b"version: 1\nsalt: \xff\n", None, 2, 7, "UTF-8"),
    Code.YAML_SYNTAX: ("version: 1\nsalt: [s1\n", None, 3, 1, "not YAML"),
    Code.TOO_COMPLEX: ("x: " + "[" * 50 + "]" * 50, None, 1, 44, "nests deeper"),
    Code.DUPLICATE_KEY: (HEAD + "salt: s2\n", None, 6, 1, "already given in line 2"),
    Code.UNKNOWN_KEY: (HEAD + "pin: []\n", None, 6, 1, "no key 'pin'"),
    Code.MISSING_KEY: (HEAD.replace("salt: s1\n", ""), None, 1, 1, "needs 'salt'"),
    Code.WRONG_TYPE: (HEAD + "kill: maybe\n", None, 6, 7, "the text 'maybe'"),
    Code.OUT_OF_RANGE: (HEAD + GROUP + "{percent: 100.5, routes: [GET /up]}\n", None, 7, 19, "100.5"),
    Code.BAD_VALUE: (HEAD.replace("salt: s1", "salt: s 1"), None, 2, 7, "'s 1'"),
    Code.BAD_URL: (HEAD.replace('"${LEGACY_URL}"', "https://a"), None, 4, 19, "plain HTTP"),
    Code.BAD_PATH: (HEAD + GROUP + '{routes: ["GET /a(b"]}\n', None, 7, 19, "never closed"),
    Code.UNSET_VARIABLE: (HEAD.replace("LEGACY_URL", "NOWHERE"), None, 4, 19, "NOWHERE"),
    Code.CATALOGUE_MISSING: (WITH_CATALOGUE, None, 1, 12, "cannot be read"),
    Code.UNKNOWN_BACKEND: (HEAD + "defaults: {to: pyhton}\n", None, 6, 16, "pyhton"),
    Code.UNKNOWN_RAMP: (HEAD + GROUP + "{ramp: slow, routes: [GET /up]}\n", None, 7, 16, "slow"),
    Code.UNKNOWN_GROUP: (HEAD + "bundles: {a: [tags]}\n", None, 6, 15, "tags"),
    Code.UNKNOWN_ROUTE: (WITH_CATALOGUE + GROUP + "{routes: [tags#idnex]}\n", CATALOGUE, 8, 19, "tags#idnex"),
    Code.EMPTY_GLOB: (WITH_CATALOGUE + GROUP + '{routes: ["tag#*"]}\n', CATALOGUE, 8, 19, "tag#*"),
    Code.EMPTY_GROUP: (
        WITH_CATALOGUE + GROUP + '{routes: [tags#index], except: ["tags#i*"]}\n',
        CATALOGUE,
        8,
        3,
        "holds no route",
    ),
    Code.UNREACHABLE_ROUTE: (
        WITH_CATALOGUE,
        CATALOGUE + "- {method: GET, path: /api/v1/tags/new, name: tags#new}\n",
        9,
        3,
        "/api/v1/tags/:id(.:format) stands before it",
    ),
    Code.ROUTE_IN_TWO_GROUPS: (
        WITH_CATALOGUE + GROUP + '{routes: ["tags#*"]}\n  more: {routes: [tags#show]}\n',
        CATALOGUE,
        9,
        18,
        "in group tags too",
    ),
    Code.GROUP_IN_TWO_BUNDLES: (
        HEAD + "bundles: {a: [tags], b: [tags]}\n" + GROUP + "{routes: [GET /up]}\n",
        None,
        6,
        26,
        "bundle a too",
    ),
    Code.UNEQUAL_BUNDLE: (
        HEAD
        + "bundles: {a: [tags, up]}\n"
        + GROUP
        + "{percent: 1, routes: [GET /tags]}\n  up: {percent: 2, routes: [GET /up]}\n",
        None,
        6,
        11,
        "tags 1 %, up 2 %",
    ),
    Code.SPLIT_BODY_TOKEN: (
        WITH_CATALOGUE + GROUP + "{percent: 50, routes: [b2/tags#create]}\n",
        CATALOGUE,
        8,
        19,
        "b2/tags#create",
    ),
    Code.SAME_SIDES: (
        HEAD + GROUP + "{to: legacy, routes: [GET /up]}\n",
        None,
        7,
        3,
        "from legacy to legacy",
    ),
    Code.UNSAFE_SHADOW: (HEAD + GROUP + "{shadow: 5, routes: [POST /up]}\n", None, 7, 18, "may be repeated"),
    Code.UNUSED_RAMP: (HEAD + "ramps: {slow: {steps: [1, 100]}}\n", None, 6, 9, "no group uses ramp slow"),
    Code.SPLIT_BUNDLE: (
        HEAD
        + "bundles: {a: [tags, up]}\n"
        + GROUP
        + "{percent: 1, kill: true, routes: [GET /tags]}\n  up: {percent: 1, routes: [GET /up]}\n",
        None,
        6,
        11,
        "differ in kill",
    ),
}


def test_every_code_has_an_example() -> None:
    # The last one is for the rules of comparing, which are another file (test_rules.py).
    assert set(EXAMPLES) == set(Code) - {Code.EXPIRED_RULE}


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_finding_names_its_place_and_a_remedy(code: Code, tmp_path: Path) -> None:
    text, catalogue, line, column, words = EXAMPLES[code]
    loaded = load_text(tmp_path, text, catalogue)
    (found,) = (*loaded.errors, *loaded.warnings)
    assert (found.code, found.line, found.column) == (code, line, column)
    assert words in found.message
    assert found.remedy.endswith((".", "?"))
    assert (loaded.config is None) == (code not in WARNINGS)


def test_every_code_is_documented() -> None:
    documented = re.findall(r"^### `([a-z0-9-]+)`", DOC.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(code.value for code in Code)


def test_all_errors_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        """\
version: 2
salt: s1
salt: s1
backends: {legacy: {urls: [ftp://x]}, python: {urls: []}}
kill: 1
""",
    )
    assert codes(loaded) == ["out-of-range", "duplicate-key", "bad-url", "out-of-range", "wrong-type"]


NAMELESS = """\
bundles: {pair: [nowhere]}
groups:
  tags: {ramp: nowhere, to: nowhere, routes: [tags#nothing]}
"""


@pytest.mark.parametrize("lost", ["version: 1\n", "salt: s1\n"])
def test_names_are_looked_up_where_a_required_key_is_missing(lost: str, tmp_path: Path) -> None:
    loaded = load_text(tmp_path, WITH_CATALOGUE.replace(lost, "") + NAMELESS, CATALOGUE)
    assert codes(loaded) == [
        "missing-key",
        "unknown-group",
        "unknown-ramp",
        "unknown-backend",
        "unknown-route",
    ]


@pytest.mark.parametrize(
    ("catalogue", "code"), [(None, "catalogue-missing"), ("version: 1\nroutes: []\n", "out-of-range")]
)
def test_only_routes_need_the_catalogue(catalogue: str | None, code: str, tmp_path: Path) -> None:
    loaded = load_text(tmp_path, WITH_CATALOGUE + NAMELESS, catalogue)
    assert sorted(codes(loaded)) == sorted([code, "unknown-group", "unknown-ramp", "unknown-backend"])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ramps: {slow: {}}\n" + GROUP + "{ramp: slow, routes: [GET /up]}\n", "missing-key"),
        ("pins: [{to: x, user: 1}]\n" + GROUP + "{to: x, routes: [GET /up]}\n", "wrong-type"),
        (
            "bundles: {a: [tags, up]}\n"
            + GROUP
            + "{percent: 1, routes: [GET /tags]}\n  up: {percent: 101, routes: [GET /up]}\n",
            "out-of-range",
        ),
        ("bundles: {a: [tags]}\n" + GROUP + "{percent: 1}\n", "missing-key"),
    ],
)
def test_what_is_broken_is_there_all_the_same(text: str, code: str, tmp_path: Path) -> None:
    head = HEAD.replace("backends:\n", "backends:\n  x: {urls: 3}\n") if "to: x" in text else HEAD
    assert codes(load_text(tmp_path, head + text)) == [code]


def test_tags_ask_for_nothing_but_plain_values(tmp_path: Path) -> None:
    text = HEAD + GROUP + "{percent: !!int 10, routes: [!!str GET /up]}\n"
    assert codes(load_text(tmp_path, text)) == []
    loaded = load_text(tmp_path, HEAD + "groups: !!python/object:os.system {}\n")
    assert [(one.code, one.line, one.column) for one in loaded.errors] == [("yaml-syntax", 6, 9)]


def test_remedies_say_what_was_meant(tmp_path: Path) -> None:
    meant = {
        GROUP + "{routes: [get /up]}\n": "Write `GET /up`.",
        GROUP + "{routes: [/up]}\n": "Write `GET /up`.",
        GROUP + "{<<: {}, routes: [GET /up]}\n": "YAML 1.2 has no merge keys",
        "groups:\n\ttags: {}\n": "Indent with spaces",
    }
    for text, remedy in meant.items():
        (found,) = load_text(tmp_path, HEAD + text).errors
        assert found.remedy.startswith(remedy)


def test_bundles_whose_users_part_are_remarked(tmp_path: Path) -> None:
    for key in ("kill: true", "to: legacy, from: python", "sticky: none", "ramp: slow"):
        text = (
            HEAD
            + "ramps: {slow: {steps: [2, 50]}}\nbundles: {a: [tags, up]}\n"
            + GROUP
            + f"{{percent: 1, {key}, routes: [GET /tags]}}\n  up: {{percent: 1, routes: [GET /up]}}\n"
        )
        loaded = load_text(tmp_path, text)
        assert "split-bundle" in codes(loaded)
        assert loaded.errors == ()
    at_rest = text.replace("percent: 1", "percent: 0").replace("ramp: slow", "kill: true")
    assert codes(load_text(tmp_path, at_rest)) == ["unused-ramp"]


def test_findings_are_bounded() -> None:
    findings = Findings("x")
    for column in range(1000):
        findings.add(Code.UNKNOWN_KEY, Position(1, column), "no", "Remove it.")
    assert len(findings.found) == Findings.MOST
