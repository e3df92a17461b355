# SPDX-License-Identifier: AGPL-3.0-or-later
"""A whole routing file: the sample operators start from, defaults, names, and what selects routes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config import parse
from proxy.config.written import Repeat
from tests.unit.proxy.config.routingfiles import (
    CATALOGUE,
    ENVIRON,
    HEAD,
    WITH_CATALOGUE,
    codes,
    load_text,
    usable,
)

SAMPLE = """\
version: 1
salt: s1
backends:
  legacy:
    urls: ["${LEGACY_URL}"]
    shadow: {rate: 50/s, concurrency: 8}
    health: {path: /up, interval: 5s, timeout: 500ms}
    pool: {max_connections: 100, max_idle: 10, idle: 10s, waiting: 50, wait: 1s}
    timeouts: {connect: 1s, request_body: 30s, first_byte: 1m, stream_idle: 1m, total: 1h, tunnel_idle: 1h}
  python: {urls: ["${PYTHON_URL}"]}
defaults:
  from: legacy
  to: python
  sticky: user
  keep_on_legacy:
    query: [membership_token]
    session: ["pending_*"]
    headers: [X-HTTP-Method-Override]
  body_limit: 100MB
ramps:
  careful: {steps: [1, 10, 50, 100], dwell: 30m}
bundles:
  threads: [comments-writes, discussions-writes]
pins:
  - {user: 7, to: python}
  - {cookie: 0123456789abcdef0123456789abcdef, to: legacy, groups: [health]}
kill: false
limits: {head: 32KB, target: 8192, headers: 100, body: 1GB}
trusted_proxies: [10.0.0.0/8, "::1"]
api_key_parameters: [api_key]
groups:
  comments-writes:
    stage: 9
    percent: 0.25
    ramp: careful
    routes: [POST /comments]
  discussions-writes: {stage: 9, percent: 0.25, ramp: careful, routes: ["PATCH|PUT /discussions/:id"]}
  health: {stage: 0, percent: 100, sticky: "header:X-Tenant", kill: true, body_limit: 0, routes: [GET /up]}
"""


def test_every_key_of_the_sample_is_read(tmp_path: Path) -> None:
    written = usable(tmp_path, SAMPLE).written
    legacy = written.backends["legacy"]
    assert legacy.urls == (ENVIRON["LEGACY_URL"],)
    assert (legacy.shadow.rate, legacy.shadow.concurrency) == (50, 8)
    assert (legacy.health.interval, legacy.health.timeout) == (5, 0.5)
    assert (legacy.timeouts.first_byte, legacy.timeouts.total) == (60, 3600)
    assert written.defaults.body_limit == 100 * 1024 * 1024
    assert written.defaults.keep_on_legacy.session == ("pending_*",)
    assert written.ramps["careful"].dwell == 1800
    assert written.groups["comments-writes"].percent == 0.25
    assert written.groups["health"].sticky == "header:X-Tenant"
    assert [pin.user for pin in written.pins] == ["7", None]
    assert (written.limits.head, written.limits.target) == (32 * 1024, 8192)
    assert written.trusted_proxies == ("10.0.0.0/8", "::1")


def test_idle_connections_are_dropped_well_before_puma_closes_them(tmp_path: Path) -> None:
    backend = usable(tmp_path, HEAD).written.backends["legacy"]
    assert backend.pool.idle <= 10


def test_without_catalogue_groups_define_routes_in_the_order_of_the_file(tmp_path: Path) -> None:
    config = usable(tmp_path, SAMPLE)
    assert [(row.method, row.path) for row in config.rows] == [
        ("POST", "/comments"),
        ("PATCH|PUT", "/discussions/:id"),
        ("GET", "/up"),
    ]
    assert config.members["health"] == (2,)
    assert [row.repeat for row in config.rows] == [Repeat.UNSAFE, Repeat.UNSAFE, Repeat.SAFE]


@pytest.mark.parametrize(
    ("routes", "names"),
    [
        ("[tags#show]", ["tags#show"]),
        ('["tags#*"]', ["tags#index", "tags#create", "tags#show", "tags#update"]),
        ('["tags#*"], except: [tags#index, POST /api/v1/tags]', ["tags#show", "tags#update"]),
        ("[GET /api/v1/tags/:id]", ["tags#show"]),
        ("[GET /api/v1/tags/:id(.:format)]", ["tags#show"]),
        ("[PUT /api/v1/tags/:id]", ["tags#update"]),
        ("[GET /up, tags#index]", ["tags#index", "web/health"]),
    ],
)
def test_routes_are_chosen_by_name_glob_or_method_and_path(
    tmp_path: Path, routes: str, names: list[str]
) -> None:
    config = usable(tmp_path, WITH_CATALOGUE + f"groups: {{g: {{routes: {routes}}}}}\n", CATALOGUE)
    assert [config.rows[index].name for index in config.members["g"]] == names


def test_except_may_name_more_than_the_group_holds(tmp_path: Path) -> None:
    text = WITH_CATALOGUE + 'groups: {g: {routes: [tags#index, tags#show], except: ["tags#s*", %s]}}\n'
    config = usable(tmp_path, text % '"*#show"', CATALOGUE.replace("web/health", "web/x#show"))
    assert len(config.members["g"]) == 1
    assert codes(load_text(tmp_path, text % "tags#create", CATALOGUE)) == ["unknown-route"]


def test_a_literal_that_the_catalogue_lacks_is_an_error_with_a_suggestion(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, WITH_CATALOGUE + "groups: {g: {routes: [GET /api/v1/tag/:id]}}\n", CATALOGUE)
    assert codes(loaded) == ["unknown-route"]
    assert "GET /api/v1/tags/:id" in loaded.errors[0].remedy


def test_routes_in_no_group_are_fine(tmp_path: Path) -> None:
    config = usable(tmp_path, WITH_CATALOGUE, CATALOGUE)
    assert len(config.rows) == 6
    assert config.members == {}


def test_routes_that_groups_define_may_not_hide_each_other(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, HEAD + "groups: {a: {routes: [GET /t/:id]}, b: {routes: [GET /t/new]}}\n")
    assert codes(loaded) == ["unreachable-route"]


def test_a_body_token_route_may_have_no_ramp_that_splits(tmp_path: Path) -> None:
    text = WITH_CATALOGUE + "ramps: {r: {steps: [10, 100]}, whole: {steps: [0, 100]}}\n"
    ramped = text + "groups: {g: {ramp: %s, routes: [b2/tags#create]}, h: {ramp: %s, routes: [tags#index]}}\n"
    assert codes(load_text(tmp_path, ramped % ("r", "whole"), CATALOGUE)) == ["split-body-token"]
    assert codes(load_text(tmp_path, ramped % ("whole", "r"), CATALOGUE)) == []


def test_a_killed_or_moved_body_token_route_is_fine(tmp_path: Path) -> None:
    for share in (0, 100):
        text = WITH_CATALOGUE + f"groups: {{g: {{percent: {share}, routes: [b2/tags#create]}}}}\n"
        assert codes(load_text(tmp_path, text, CATALOGUE)) == []


def test_unset_variables_need_not_matter(tmp_path: Path) -> None:
    text = HEAD.replace("LEGACY_URL", "NOWHERE")
    assert codes(load_text(tmp_path, text)) == ["unset-variable"]
    assert codes(load_text(tmp_path, text, require_variables=False)) == []


def test_findings_of_the_catalogue_name_the_catalogue(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        WITH_CATALOGUE + "groups: {g: {routes: [tags#show]}}\n",
        CATALOGUE.replace("tags#show", "tags show").replace("/up", "up("),
    )
    assert [(Path(one.file).name, one.line, one.code) for one in loaded.errors] == [
        ("routes.yaml", 5, "bad-value"),
        ("routes.yaml", 8, "bad-path"),
    ]
    assert loaded.files == (tmp_path / "routing.yaml", tmp_path / "routes.yaml")


@pytest.mark.parametrize(
    "value", [".nan", ".inf", "-1", "100.001", "true", "'10'", "[10]", "010.0001", "1e400"]
)
def test_what_is_no_percentage(tmp_path: Path, value: str) -> None:
    loaded = load_text(tmp_path, HEAD + f"groups: {{g: {{percent: {value}, routes: [GET /up]}}}}\n")
    assert codes(loaded) in (["wrong-type"], ["out-of-range"])


@pytest.mark.parametrize("value", ["0", "100", "0.01", "33.33", "1e1", "99.99"])
def test_what_is_a_percentage(tmp_path: Path, value: str) -> None:
    config = usable(tmp_path, HEAD + f"groups: {{g: {{percent: {value}, routes: [GET /up]}}}}\n")
    assert config.written.groups["g"].percent == float(value)


def test_a_pin_names_exactly_one_visitor(tmp_path: Path) -> None:
    for pin in ("{to: python}", "{to: python, user: 1, api_key: k}"):
        assert codes(load_text(tmp_path, HEAD + f"pins: [{pin}]\n")) == ["bad-value"]


def _parse(data: bytes) -> object:
    return parse(data, "routing.yaml", ENVIRON, Path("/nonexistent").joinpath)


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    _parse(data)


_PIECES = (
    "version salt backends groups defaults ramps bundles pins routes percent urls catalogue kill limits head from "
    "sticky legacy GET x#* 1 .nan true * [ ] { } &a *a ' # !!int << ? | > - : , \" \\ @ % ` --- ... \\ud800 \x00 \x85"
)
_WORDS = st.sampled_from(
    [*_PIECES.split(" "), ": ", "- ", "\n", "\n  ", ", ", "GET /a(b", "|\n", "\t", "&a ", "<<: "]
)


@given(st.lists(_WORDS, max_size=60).map("".join))
def test_no_yaml_raises(text: str) -> None:
    _parse(text.encode())
    _parse((HEAD + text).encode())


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=6),
    max_leaves=20,
)


@given(st.dictionaries(_WORDS, _VALUES, max_size=10))
def test_no_structure_raises(document: dict[str, object]) -> None:
    # JSON is YAML.
    _parse(json.dumps(document).encode())
