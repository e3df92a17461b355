# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rails' paths: what they match, their shapes, and what is refused."""

from __future__ import annotations

import re

import pytest

from proxy.config.notation import NotationError, Shape, Wild, parse, translate_regex

ANY = Wild.ANY


@pytest.mark.parametrize(
    ("path", "fits", "fits_not"),
    [
        ("/", ["/"], ["/a", ""]),
        ("/up", ["/up"], ["/up.json", "/up/", "/Up", "/upp"]),
        ("/tags(.:format)", ["/tags", "/tags.json"], ["/tags.", "/tags.a.b", "/tags/x"]),
        (
            "/tags/:id(.:format)",
            ["/tags/1", "/tags/1.json", "/tags/%2E"],
            ["/tags", "/tags/1.2.3", "/tags/.json"],
        ),
        ("/u/:name/", ["/u/x"], ["/u/x/y", "/u"]),
        (
            "/d/:key(/:slug)(/:n)(.:format)",
            ["/d/k", "/d/k/s", "/d/k/s/1", "/d/k/s/1.x"],
            ["/d", "/d/k/s/1/2"],
        ),
        ("/files/*path(.:format)", ["/files/a", "/files/a/b.c", "/files/a/b/.c"], ["/files", "/filesx"]),
        ("/(a|b)/c", ["/a/c", "/b/c"], ["/c", "/ab/c"]),
        ("(/:locale)/about", ["/about", "/en/about"], ["/en", "/a/b/about"]),
        ("/robots.txt", ["/robots.txt"], ["/robotsxtxt"]),
        ("/v:major", ["/v1"], ["/v", "/v1.2"]),
        ("/a\\:b", ["/a:b"], ["/ax"]),
    ],
)
def test_what_a_path_matches(path: str, fits: list[str], fits_not: list[str]) -> None:
    regex = re.compile(parse(path).regex())
    assert [one for one in fits if not regex.match(one.encode())] == []
    assert [one for one in fits_not if regex.match(one.encode())] == []


def test_a_constraint_replaces_what_a_segment_matches() -> None:
    regex = re.compile(parse("/p/:id(.:format)", {"id": r"[A-Z]\d{2}|x\.y"}).regex())
    assert regex.match(b"/p/A12.json")
    assert regex.match(b"/p/x.y")
    assert not regex.match(b"/p/a12")


def test_an_engine_matches_all_below_its_path() -> None:
    regex = re.compile(parse("/admin/jobs", mount=True).regex())
    for path in (b"/admin/jobs", b"/admin/jobs/", b"/admin/jobs/retries", b"/admin/jobs-x"):
        assert regex.match(path)
    assert not regex.match(b"/admin/jobsx")
    assert re.match(parse("/", mount=True).regex(), b"/anything")


@pytest.mark.parametrize(
    ("path", "shapes"),
    [
        ("/", [Shape(())]),
        ("/a/:b", [Shape(("a", ANY))]),
        ("/a(.:format)", [Shape(("a",), "."), Shape(("a",))]),
        ("/a(/:b)", [Shape(("a", ANY)), Shape(("a",))]),
        ("/a/*rest(.:format)", [Shape(("a",), "*")]),
        ("/:id.:ext", [Shape((ANY,), ".")]),
    ],
)
def test_shapes_of_simple_paths(path: str, shapes: list[Shape]) -> None:
    assert list(parse(path).shapes() or ()) == shapes


@pytest.mark.parametrize("path", ["/v:major", "/*a/b", "/a-*rest", "/:a-:b/c", "/a.:b.:c", "/*a.x"])
def test_paths_without_simple_shapes(path: str) -> None:
    assert parse(path).shapes() is None


def test_too_many_options_have_no_shapes() -> None:
    assert parse("/a" + "(/:x)" * 7).shapes() is None


@pytest.mark.parametrize(
    ("mine", "theirs", "covers"),
    [
        (Shape(("a", ANY)), Shape(("a", "b")), True),
        (Shape(("a", ANY)), Shape(("a", "b.c")), False),
        (Shape(("a", "b")), Shape(("a", ANY)), False),
        (Shape(("a", ANY)), Shape(("a", ANY), "."), False),
        (Shape(("a",), "*"), Shape(("a", "b", ANY), "."), True),
        (Shape(("a",), "*"), Shape(("a",)), False),
        (Shape(("a",), "*"), Shape(("a", ANY), "*"), True),
        (Shape((ANY,), "*"), Shape(("a",), "*"), True),
        (Shape(("a",), "*"), Shape((ANY,), "*"), False),
    ],
)
def test_one_shape_covers_another(mine: Shape, theirs: Shape, covers: bool) -> None:
    assert mine.covers(theirs) is covers


@pytest.mark.parametrize(
    "path", ["a", "", "/a b", "/a?b", "/a#b", "/(a", "/a)", "/a|b", "/\x7f", "(" * 30 + "/" + ")" * 30]
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(NotationError):
        parse(path)


@pytest.mark.parametrize("regex", ["(", "[", "a{2,1}", "[[:nope:]]", "[a[b]]", "(?<=a+)b"])
def test_what_is_no_constraint(regex: str) -> None:
    with pytest.raises(NotationError):
        parse("/:id", {"id": regex})


def test_a_constraint_needs_its_segment() -> None:
    with pytest.raises(NotationError, match="no :ip"):
        parse("/:id", {"ip": "a"})


@pytest.mark.parametrize(
    ("ruby", "fits", "fits_not"),
    [
        (r"\h+", b"aF0", b"g"),
        (r"[\h-]+", b"a-F", b"g"),
        (r"[[:digit:]x]+", b"1x", b"y"),
        (r"\A\d+\z", b"12", b"a"),
        (r"(?<year>\d{4})", b"2024", b"24"),
        (r"(?i-mx:ab)", b"AB", b"b"),
        (r"(?-mix:a\/b)", b"a/b", b"A/B"),
        (r"[^\/]+", b"a.b", b"a/b"),
        (r"[]a]+", b"]a", b"b"),
    ],
)
def test_ruby_expressions_in_python(ruby: str, fits: bytes, fits_not: bytes) -> None:
    regex = re.compile(translate_regex(ruby).encode())
    assert regex.fullmatch(fits)
    assert not regex.fullmatch(fits_not)
