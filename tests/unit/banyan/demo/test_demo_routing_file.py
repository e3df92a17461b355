# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which routing file is run, and where shares stand in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from banyan.demo.routing_file import (
    NoRoutingFileError,
    Share,
    block_of,
    find,
    find_ramp,
    share_of,
    shipped_folder,
)
from proxy.config.load import load
from proxy.routing.compile import compile_table

TEXT = """\
version: 1
groups:
  # reads: {percent: 99}
  reads-of-more: {percent: 3, routes: [a#b]}
  reads: {stage: 1, percent: 12.5, routes: [a#index]}
  writes:
    stage: 9
    # percent: 7 was too much
    percent: 0
    routes: [a#create]
  without: {routes: [c#d]}
  last:

    routes: [e#f]
    percent: 100
"""


@pytest.mark.parametrize(
    ("group", "share"),
    [
        ("reads-of-more", Share(4, "3")),
        ("reads", Share(5, "12.5")),
        ("writes", Share(9, "0")),
        ("without", None),
        ("last", Share(15, "100")),
        ("more", None),
        ("missing", None),
        (".*", None),
    ],
)
def test_finds_the_line_of_a_share(group: str, share: Share | None) -> None:
    assert share_of(TEXT, group) == share


def test_finds_every_share_of_the_shipped_file() -> None:
    file = shipped_folder() / "routing.yaml"
    loaded = load(file, {"LEGACY_URL": "http://127.0.0.1:1", "PYTHON_URL": "http://127.0.0.1:2"})
    assert loaded.config is not None
    lines = file.read_text().splitlines()
    for group in compile_table(loaded.config, 1).groups:
        share = share_of(file.read_text(), group.name)
        assert share is not None
        assert float(share.percent) == group.percent
        assert f"percent: {share.percent}" in lines[share.line - 1]


def test_a_named_file_is_taken_or_missed(tmp_path: Path) -> None:
    named = tmp_path / "other.yaml"
    with pytest.raises(NoRoutingFileError, match=r"other\.yaml: there is no such file"):
        find(named, tmp_path, tmp_path)
    named.touch()
    assert find(named, tmp_path, tmp_path) == named


def test_the_file_of_this_folder_is_taken_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "routing.yaml").touch()
    assert find(None, tmp_path, tmp_path / "spare") == tmp_path / "routing.yaml"


def test_elsewhere_a_copy_of_the_shipped_files_is_taken(tmp_path: Path) -> None:
    here, spare = tmp_path / "here", tmp_path / "spare"
    here.mkdir()
    spare.mkdir()
    assert find(None, here, spare) == spare / "routing.yaml"
    assert (spare / "routes.yaml").read_bytes() == (shipped_folder() / "routes.yaml").read_bytes()
    rules = spare / "contracts" / "rules.yaml"
    assert rules.read_bytes() == (shipped_folder() / "contracts" / "rules.yaml").read_bytes()
    assert list(here.iterdir()) == []


def test_a_block_ends_where_the_next_key_begins() -> None:
    text = "a: 1\nramps:   # these\n  one: {steps: [1]}\n\n# about two\n  two: {steps: [2]}\n\nb: 2\n"
    assert block_of(text, "ramps") == [
        "ramps:   # these",
        "  one: {steps: [1]}",
        "",
        "# about two",
        "  two: {steps: [2]}",
    ]
    assert block_of(text, "b") == ["b: 2"]
    assert block_of(text, "bundles") == []


def test_the_ramp_s_own_file_runs_and_its_policy_fits_80_columns(tmp_path: Path) -> None:
    file = find_ramp(None, tmp_path)
    loaded = load(file, {"LEGACY_URL": "http://127.0.0.1:1", "PYTHON_URL": "http://127.0.0.1:2"})
    assert loaded.config is not None, loaded.errors
    assert not loaded.warnings
    (group,) = compile_table(loaded.config, 1).groups
    assert group.shadow == 100
    assert list(loaded.config.written.ramps["demo"].steps) == [1, 10, 50, 100]
    assert loaded.config.written.rules is not None
    assert (tmp_path / loaded.config.written.rules).is_file()
    assert max(map(len, block_of(file.read_text(), "ramps"))) <= 80


def test_a_named_file_is_taken_for_a_ramp_as_well(tmp_path: Path) -> None:
    named = tmp_path / "mine.yaml"
    with pytest.raises(NoRoutingFileError, match="there is no such file"):
        find_ramp(named, tmp_path)
    named.write_text("")
    assert find_ramp(named, tmp_path) == named
