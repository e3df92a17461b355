# SPDX-License-Identifier: AGPL-3.0-or-later
"""The catalogue: rows, marks, what hides what, and that it is written as it is read."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.config.catalogue import read_catalogue, scalar, write_catalogue
from proxy.config.errors import Findings
from proxy.config.hidden import unreachable
from proxy.config.nodes import Mapping, read_nodes
from proxy.config.written import CatalogueRow, Repeat


def row(method: str, path: str, name: str = "x#y", **more: object) -> CatalogueRow:
    methods = () if method == "ANY" else tuple(method.split("|"))
    return CatalogueRow(methods, path, name, **more)  # type: ignore[arg-type]  # a test's shorthand


def read(text: str) -> tuple[CatalogueRow, ...]:
    findings = Findings("routes.yaml")
    rows = read_catalogue(text.encode(), findings)
    assert findings.found == []
    return rows


def test_marks_are_read() -> None:
    rows = read(
        """\
version: 1
routes:
- {method: GET, path: /a, name: a#b}
- {method: GET|POST, path: /b, name: a#c, dry: counts visits}
- {method: ANY, path: /c, name: a#d, unsafe: writes, body_token: true}
- {method: ANY, path: /d, name: a#e, mount: true}
- {method: GET, path: "/e/:id", name: a#f, constraints: {id: "[0-9]+"}}
"""
    )
    assert [(one.methods, one.repeat, one.why) for one in rows] == [
        (("GET",), Repeat.SAFE, ""),
        (("GET", "POST"), Repeat.DRY, "counts visits"),
        ((), Repeat.UNSAFE, "writes"),
        ((), Repeat.SAFE, ""),
        (("GET",), Repeat.SAFE, ""),
    ]
    assert (rows[2].body_token, rows[3].mount, rows[4].constraints) == (True, True, {"id": "[0-9]+"})


_ROWS = st.lists(
    st.builds(
        CatalogueRow,
        st.sampled_from([(), ("GET",), ("GET", "POST"), ("DELETE",)]),
        st.sampled_from(
            ["/", "/a/:id(.:format)", "/b/*rest", "/~x", "/'q'", "/{x}", "/" + "long/" * 20 + "x"]
        ),
        st.sampled_from(["a#b", "web/a_b", "null", "true", "9#x"]),
        st.just(Repeat.UNSAFE),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF), min_size=1, max_size=30).filter(
            str.isprintable
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda one: one.path,
)


@given(_ROWS)
def test_what_is_written_is_read_back(rows: list[CatalogueRow]) -> None:
    rows = [one for index, one in enumerate(rows) if index not in dict(unreachable(rows))]
    assert list(read(write_catalogue(rows, ["about", "", "it"]))) == rows


@example("A:?")
@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1))
def test_scalars_survive_flow_style(text: str) -> None:
    node = read_nodes(f"{{a: {scalar(text)}, b: 1}}".encode(), Findings("x"))
    assert isinstance(node, Mapping)
    assert [getattr(value, "text", None) for _, value in node.pairs] == [text, "1"]


def test_rows_are_aligned_one_to_a_line() -> None:
    text = write_catalogue([row("GET", "/a"), row("DELETE", "/abc/:id", repeat=Repeat.UNSAFE, why="deletes")])
    assert text.splitlines()[-2:] == [
        "- {method: GET,    path: /a,       name: x#y}",
        "- {method: DELETE, path: /abc/:id, name: x#y, unsafe: deletes}",
    ]


@pytest.mark.parametrize(
    ("rows", "hidden"),
    [
        ([row("GET", "/a/:id"), row("GET", "/a/b")], [1]),
        ([row("GET", "/a/b"), row("GET", "/a/:id")], []),
        ([row("GET", "/a/:id"), row("POST", "/a/b")], []),
        ([row("ANY", "/a/:id"), row("POST", "/a/b")], [1]),
        ([row("GET", "/a/:id"), row("ANY", "/a/b")], []),
        ([row("GET", "/a/b"), row("POST", "/a/b"), row("GET|POST", "/a/b")], [2]),
        ([row("GET", "/a/:id"), row("GET", "/a/b(.:format)")], []),
        ([row("GET", "/d/:k/:s(/:n)"), row("GET", "/d/:k(/:s)(/:n)"), row("GET", "/d/:k/c/:n")], [2]),
        ([row("GET", "/d/:k"), row("GET", "/d/:k/:s"), row("GET", "/d/:k(/:s)")], [2]),
        ([row("GET", "/*all"), row("GET", "/a/b(.:format)")], [1]),
        ([row("GET", "/a/:id", constraints={"id": "[0-9]+"}), row("GET", "/a/1")], []),
        ([row("GET", "/a/:id", constraints={"id": "[0-9]+"})] * 2, [1]),
        ([row("ANY", "/a", mount=True), row("ANY", "/a", mount=True)], [1]),
    ],
)
def test_routes_that_others_hide(rows: list[CatalogueRow], hidden: list[int]) -> None:
    assert [index for index, _ in unreachable(rows)] == hidden
