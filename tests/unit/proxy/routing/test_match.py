# SPDX-License-Identifier: AGPL-3.0-or-later
"""The path tree agrees with Rails' first match: a linear search by regular expressions, over whatever comes."""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.notation import Pattern, parse
from proxy.routing.match import MEMO_ENTRIES, Matcher, build_tree, normalise
from tests.unit.proxy.routing.tables import shipped_table

Rows = Sequence[tuple[tuple[str, ...], Pattern]]


def rails(rows: Rows, method: str, path: bytes) -> int:
    """What Rails' router does, as slowly as it is obvious."""
    path = re.sub(rb"/+", b"/", b"/" + path)
    if path != b"/":
        path = path.removesuffix(b"/")
        path = re.sub(rb"%[a-f0-9]{2}", lambda found: found[0].upper(), path)
    fits = [index for index, (_, pattern) in enumerate(rows) if re.match(pattern.regex(), path)]
    if method == "HEAD":
        explicit = [index for index in fits if "HEAD" in rows[index][0]]
        if explicit:
            return explicit[0]
        method = "GET"
    return next((index for index in fits if not rows[index][0] or method in rows[index][0]), -1)


def matcher_of(rows: Rows) -> Matcher:
    return Matcher(build_tree(rows))


_WORDS = ["a", "b", "api", "v1", "x.y", "é", "%2F", "robots.txt"]
_SEGMENTS = st.sampled_from(
    [*_WORDS, ":id", ":key", ":a-:b", "v:n", ":id.:ext", "*rest", "a-*rest", "(:opt)"]
)
_TAILS = st.sampled_from(
    ["", "", "(.:format)", "(.:format)", "/", "(/:slug)(.:format)", "(/:s)(/:n)", "(/b|/c)", "/*rest"]
)
_METHODS = st.sampled_from(
    [(), ("GET",), ("POST",), ("GET", "POST"), ("HEAD",), ("PATCH", "PUT"), ("DELETE",)]
)


@st.composite
def _patterns(draw: st.DrawFn) -> Pattern:
    segments = draw(st.lists(_SEGMENTS, max_size=4))
    path = "/" + "/".join(segments) + draw(_TAILS)
    constraints = {}
    if ":id" in segments and draw(st.booleans()):
        constraints = {"id": draw(st.sampled_from([r"\d+", r"[^\/]+", r"a|b|x\.y", r"\h{2}"]))}
    mount = draw(st.sampled_from([False] * 9 + [True]))
    return parse(path, constraints, mount=mount)


_ROWS = st.lists(st.tuples(_METHODS, _patterns()), max_size=12)
_PATHS = st.lists(
    st.sampled_from(
        [
            *_WORDS,
            "/",
            "//",
            ".",
            "..",
            ".json",
            "%2f",
            "%aF",
            "é",
            "12",
            "v2",
            "a-b",
            "c",
            "%",
            "+",
            ";",
            "\x80",
            "-",
        ]
    ),
    max_size=8,
).map(lambda pieces: ("/" + "".join(pieces)).encode("utf-8"))
_RAW_PATHS = st.binary(max_size=12).map(lambda data: b"/" + data.translate(None, b"\n\r?"))
_ANY_METHOD = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])


@given(_ROWS, st.lists(st.tuples(_ANY_METHOD, _PATHS | _RAW_PATHS), min_size=1, max_size=12))
def test_any_routes_and_paths(rows: Rows, requests: list[tuple[str, bytes]]) -> None:
    matcher = matcher_of(rows)
    for method, path in requests:
        assert matcher.find(method.encode(), path) == rails(rows, method, path)


SHIPPED = shipped_table()
SHIPPED_ROWS = [
    (
        route.methods,
        parse(route.pattern, mount=route.pattern in ("/cable", "/admin/sidekiq", "/admin/blazer")),
    )
    for route in SHIPPED.routes
]
_FILLERS = st.sampled_from(["1", "abc", "new", "a.b", "index.json", "%2F", "é", "", "show", "..", "a-b"])


@st.composite
def _shipped_paths(draw: st.DrawFn) -> bytes:
    """A path of a shipped route, more or less: filled in, bent, or with the tail of another."""
    path = draw(st.sampled_from(SHIPPED_ROWS))[1].path
    path = re.sub(r"[:*]\w+", lambda _: draw(_FILLERS), path)
    path = re.sub(r"\(([^()]*)\)", lambda found: draw(st.sampled_from(["", found[1]])), path)
    path += draw(st.sampled_from(["", "", "", "/", ".json", "/x", ".", "//"]))
    return draw(st.sampled_from([path, path, "/" + path, path.replace("/", "//", 1)])).encode()


@given(_ANY_METHOD, _shipped_paths())
def test_the_shipped_routes(method: str, path: bytes) -> None:
    found = SHIPPED.match(method.encode(), path)
    assert (-1 if found is None else found.index) == rails(SHIPPED_ROWS, method, path)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/", "web/root#index"),
        ("GET", "/api/v1/discussions/12", "discussions#show"),
        ("HEAD", "/api/v1/discussions/12.json", "discussions#show"),
        ("GET", "//api/v1//discussions/inbox/", "discussions#inbox"),
        ("GET", "/api/v1/discussions/1.2", "discussions#show"),
        ("GET", "/api/v1/discussions/1.2.3", None),
        ("PUT", "/api/v1/discussions/12", "discussions#update"),
        ("GET", "/d/k/comment/3", "web/discussions#show"),
        ("GET", "/u/someone/", "web/users#show"),
        ("GET", "/orchard", "web/groups#show"),
        ("GET", "/admin", "web/admin"),
        ("PROPFIND", "/admin/sidekiq/retries", "web/sidekiq"),
        ("GET", "/rails/active_storage/disk/k/a/b.png", "web/active_storage/disk#show"),
        ("GET", "/no/such/page", None),
        ("get", "/", None),
    ],
)
def test_requests_to_loomio(method: str, path: str, name: str | None) -> None:
    found = SHIPPED.match(method.encode(), path.encode())
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        (b"", b"/"),
        (b"/", b"/"),
        (b"//", b"/"),
        (b"a", b"/a"),
        (b"/a/", b"/a"),
        (b"/a///b//", b"/a/b"),
        (b"/%2f%aF%Af%ff", b"/%2F%aF%Af%FF"),
        (b"/%", b"/%"),
        (b"*", b"/*"),
    ],
)
def test_paths_are_normalised_as_rails_does(path: bytes, normal: bytes) -> None:
    assert normalise(path) == normal


def test_the_first_route_wins_whatever_the_branch() -> None:
    rows = [(("GET",), parse("/a/:id")), (("GET",), parse("/:x/b")), (("GET",), parse("/a/b"))]
    matcher = matcher_of(rows)
    assert matcher.find(b"GET", b"/a/b") == 0
    assert matcher.find(b"GET", b"/c/b") == 1


def test_memory_is_bounded_and_answers_stay_right() -> None:
    matcher = matcher_of([(("GET",), parse("/a/:id"))])
    for number in range(2 * MEMO_ENTRIES + 10):
        assert matcher.find(b"GET", b"/a/%d" % number) == 0
        assert matcher.find(b"GET", b"/b/%d" % number) == -1
    assert sum(map(len, matcher._memo.values())) <= MEMO_ENTRIES
    matcher.find(b"GET", b"/a/" + b"x" * 10_000)
    assert all(len(path) < 1000 for paths in matcher._memo.values() for path in paths)


def test_a_pickled_matcher_finds_the_same_and_carries_no_memory() -> None:
    matcher = matcher_of(SHIPPED_ROWS)
    small = len(pickle.dumps(matcher))
    for number in range(1000):
        matcher.find(b"GET", b"/api/v1/polls/%d" % number)
    copy = pickle.loads(pickle.dumps(matcher))
    assert len(pickle.dumps(matcher)) == small
    assert copy.find(b"GET", b"/api/v1/polls/7") == matcher.find(b"GET", b"/api/v1/polls/7")
