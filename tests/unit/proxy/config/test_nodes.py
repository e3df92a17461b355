# SPDX-License-Identifier: AGPL-3.0-or-later
"""YAML to nodes: values by YAML 1.2, places, aliases, bounds."""

from __future__ import annotations

import pytest

from proxy.config.errors import Code, Findings
from proxy.config.nodes import MOST_NODES, Listing, Mapping, Node, Scalar, read_nodes


def read(text: str) -> Node:
    findings = Findings("x")
    node = read_nodes(text.encode(), findings)
    assert findings.found == []
    assert node is not None
    return node


def code_of(text: str) -> Code:
    findings = Findings("x")
    assert read_nodes(text.encode(), findings) is None
    (found,) = findings.found
    return found.code


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("010", 10),
        ("-1", -1),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e2", 100.0),
        ("true", True),
        ("False", False),
        ("on", "on"),
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("~", None),
        ("", None),
        ("'10'", "10"),
        ('"true"', "true"),
        ("GET /up", "GET /up"),
    ],
)
def test_scalars_have_their_yaml_1_2_value(text: str, value: object) -> None:
    node = read(text)
    assert isinstance(node, Scalar)
    assert node.value() == value
    assert type(node.value()) is type(value)


def test_nodes_know_their_place_in_characters() -> None:
    node = read("é: [a,\n  b]\n")
    assert isinstance(node, Mapping)
    ((key, value),) = node.pairs
    assert isinstance(value, Listing)
    assert (key.at, value.at, value.items[1].at) == ((1, 1), (1, 4), (2, 3))


def test_a_byte_order_mark_is_no_content() -> None:
    assert read("\ufeffa: 1") == read("a: 1")


def test_duplicate_keys_are_all_there() -> None:
    node = read("{a: 1, a: 2}")
    assert isinstance(node, Mapping)
    assert len(node.pairs) == 2


def test_an_alias_stands_for_its_node() -> None:
    node = read("[&x {a: 1}, *x]")
    assert isinstance(node, Listing)
    assert node.items[0] == node.items[1]


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert code_of("\n".join(lines)) is Code.TOO_COMPLEX


@pytest.mark.parametrize(
    "text", ["a: *a", "&a [*a]", "a: 1\n---\nb: 2", "a: [", "a: 'x", "a: b: c", "\ta: 1", "a: \x07"]
)
def test_what_is_no_single_document(text: str) -> None:
    assert code_of(text) is Code.YAML_SYNTAX


def test_size_is_bounded() -> None:
    assert code_of("[" + "x," * MOST_NODES + "]") is Code.TOO_COMPLEX
    assert code_of("[" * 100_000 + "]" * 100_000) in (Code.TOO_COMPLEX, Code.YAML_SYNTAX)
