# SPDX-License-Identifier: AGPL-3.0-or-later
"""Route paths as Rails writes them: `/d/:key(/:slug)(.:format)`, `/files/*path`, `/(a|b)`.

A `Pattern` knows two things about such a path:

- `regex()`, the regular expression that Rails' own router (Journey) makes of it. It is the truth: everything faster
  has to agree with it.
- `shapes`, the path with every optional part decided, one segment at a time, wherever all segments are of a simple
  kind. The path tree is built of shapes, and one route is seen to hide another by comparing them.

What the parts match (actionpack, journey/path/pattern.rb): `:name` one or more bytes without `.`, `/`, `?`; `*name`
anything, slashes too; a constraint replaces that default. A mount (an engine) matches its path and all below.

Paths are matched as bytes and never percent-decoded: Rails recognises routes on the encoded path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import product

SEGMENT = "[^./?]+"
"""What a `:name` matches where no constraint says otherwise."""

MOST_SHAPES = 64
"""A path with more optional parts than this gives is matched by its regular expression alone."""


class NotationError(ValueError):
    """A path or constraint that cannot be understood; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that matches itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Dynamic:
    """`:name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Glob:
    """`*name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """`(…)` with its alternatives `(a|b)`; an optional part has the empty alternative as its last."""

    ways: tuple[tuple[Part, ...], ...]


Part = Literal | Dynamic | Glob | Choice


class Wild(Enum):
    """A segment of a shape that is not plain text."""

    ANY = ":"
    """`:name` without a constraint."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A path with every option decided: its segments, and what may follow the last of them.

    `tail` is "" for nothing, "." for a format (`.json`), "*" for a glob: one or more further segments.
    """

    segments: tuple[str | Wild, ...]
    tail: str = ""

    def covers(self, other: Shape) -> bool:
        """Whether every path that fits `other` fits this shape too."""
        if self.tail == "*":
            longer = len(other.segments) > len(self.segments) or other.tail == "*"
            return longer and _covers(self.segments, other.segments[: len(self.segments)])
        if self.tail != other.tail:
            return False
        return len(self.segments) == len(other.segments) and _covers(self.segments, other.segments)


def _covers(mine: tuple[str | Wild, ...], theirs: tuple[str | Wild, ...]) -> bool:
    if len(mine) > len(theirs):
        return False
    return all(
        a == b or (a is Wild.ANY and isinstance(b, str) and "." not in b)
        for a, b in zip(mine, theirs, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed path: `path` as written but for a trailing slash, its parts and constraints (name → Ruby regex)."""

    path: str
    parts: tuple[Part, ...]
    constraints: Mapping[str, str]
    mount: bool

    @property
    def without_format(self) -> str:
        """The path without Rails' optional `(.:format)` at the end."""
        return self.path.removesuffix("(.:format)")

    def regex(self) -> bytes:
        """The regular expression (Python's dialect, for bytes) of a whole normalised path.

        Source: journey/visitors.rb and path/pattern.rb; a mount's end is Rails' `(?:\\b|\\Z|/)`.
        """
        body = self._regex_of(self.parts)
        if self.mount:
            return (r"\A/" if self.path == "/" else rf"\A{body}(?:\b|\Z|/)").encode("utf-8")
        return rf"\A{body}\Z".encode()

    def _regex_of(self, parts: tuple[Part, ...]) -> str:
        return "".join(map(self._regex_of_part, parts))

    def _regex_of_part(self, part: Part) -> str:
        match part:
            case Literal(text):
                return re.escape(text)
            case Dynamic(name) if name in self.constraints:
                return f"(?:{translate_regex(self.constraints[name])})"
            case Dynamic():
                return SEGMENT
            case Glob(name) if name in self.constraints:
                return f"(?:{translate_regex(self.constraints[name])})"
            case Glob():
                return ".+"
            case Choice(ways):
                return f"(?:{'|'.join(map(self._regex_of, ways))})"

    def literal_prefix(self) -> tuple[str, ...]:
        """The leading segments that are plain text and certainly complete (followed by a slash)."""
        text = ""
        for part in self.parts:
            if not isinstance(part, Literal):
                break
            text += part.text
        return tuple(text.split("/")[1:-1])

    def shapes(self) -> tuple[Shape, ...] | None:
        """All shapes of the path, or None where some part is not simple (see module docstring)."""
        if self.mount:
            return None
        found: list[Shape] = []
        for number, flat in enumerate(_decide_options(self.parts)):
            if number == MOST_SHAPES:
                return None
            shape = self._shape_of(flat)
            if shape is None:
                return None
            if shape not in found:
                found.append(shape)
        return tuple(found)

    def _shape_of(self, flat: tuple[Part, ...]) -> Shape | None:
        words = _split_segments(flat)
        if words is None or any(
            isinstance(part, Dynamic | Glob) and part.name in self.constraints for part in flat
        ):
            return None
        if words == [()]:
            return Shape(())
        segments: list[str | Wild] = []
        for word in words[:-1]:
            simple = _simple(word)
            if simple is None:
                return None
            segments.append(simple)
        last = words[-1]
        if isinstance(last[0], Glob) if last else False:
            # Whatever follows a glob in the same segment (a format) can only narrow what the glob itself takes.
            return Shape(tuple(segments), "*") if last[1:] == () or _is_format(last[1:]) else None
        simple = _simple(last)
        if simple is not None:
            return Shape((*segments, simple))
        stem = _without_format(last)
        simple = _simple(stem) if stem is not None else None
        return None if simple is None else Shape((*segments, simple), ".")


def _decide_options(parts: tuple[Part, ...]) -> Iterator[tuple[Part, ...]]:
    """Every way through the path's options, each without a `Choice`."""
    ways: list[list[tuple[Part, ...]]] = []
    for part in parts:
        if isinstance(part, Choice):
            ways.append([flat for way in part.ways for flat in _decide_options(way)])
        else:
            ways.append([(part,)])
    for chosen in product(*ways):
        yield tuple(part for way in chosen for part in way)


def _split_segments(flat: tuple[Part, ...]) -> list[tuple[Part, ...]] | None:
    """Cut at slashes; None where the path does not begin with one."""
    words: list[list[Part]] = [[]]
    for part in flat:
        if not isinstance(part, Literal):
            words[-1].append(part)
            continue
        for number, text in enumerate(part.text.split("/")):
            if number:
                words.append([])
            if text:
                last = words[-1]
                if last and isinstance(last[-1], Literal):
                    last[-1] = Literal(last[-1].text + text)
                else:
                    last.append(Literal(text))
    if len(words) < 2 or words[0]:
        return None
    return [tuple(word) for word in words[1:]]


def _simple(word: tuple[Part, ...]) -> str | Wild | None:
    match word:
        case (Literal(text),):
            return text
        case (Dynamic(),):
            return Wild.ANY
        case _:
            return None


def _is_format(word: tuple[Part, ...]) -> bool:
    match word:
        case (Literal("."), Dynamic()):
            return True
        case _:
            return False


def _without_format(word: tuple[Part, ...]) -> tuple[Part, ...] | None:
    """`photos.:format` → `photos`; None where the segment does not end so."""
    match word:
        case (Literal(text), Dynamic()) if text.endswith(".") and len(text) > 1:
            return (Literal(text[:-1]),)
        case (Dynamic(), Literal("."), Dynamic()):
            return word[:1]
        case _:
            return None


_TOKEN = re.compile(r":(\w+)|\*(\w+)|([(|)])|\\([:*()|\\])|([^:*()|\\]+|.)", re.DOTALL)


def parse(path: str, constraints: Mapping[str, str] | None = None, *, mount: bool = False) -> Pattern:
    """Read a path in Rails notation.

    Raises NotationError for unbalanced brackets, a path that does not begin with `/` (or `(/`), characters that no
    URL path has, and constraints that are no regular expression or name no part of the path.
    """
    if not path.startswith(("/", "(/")):
        raise NotationError(f"a path begins with a slash: {path!r}")
    if bad := re.search(r"[\x00-\x20\x7f?#]", path):
        raise NotationError(f"a path cannot contain {bad[0]!r}")
    if len(path) > 1 and path.endswith("/"):
        path = path[:-1]
    parts = _Reader(path).read()
    given = dict(constraints or {})
    names = set(names_of(parts))
    for name in given:
        if name not in names:
            raise NotationError(f"constraint on {name!r}, but the path has no :{name}")
    pattern = Pattern(path, parts, given, mount)
    try:
        re.compile(pattern.regex())
    except (re.error, OverflowError, RecursionError) as error:
        raise NotationError(f"not a regular expression: {error}") from None
    return pattern


def names_of(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Dynamic | Glob):
            yield part.name
        elif isinstance(part, Choice):
            for way in part.ways:
                yield from names_of(way)


class _Reader:
    """A recursive reader of one path; brackets may be nested `DEEPEST` deep."""

    DEEPEST = 20

    def __init__(self, path: str) -> None:
        self._path = path
        self._tokens = list(_TOKEN.finditer(path))
        self._next = 0

    def read(self) -> tuple[Part, ...]:
        ways = self._ways(0)
        if self._next < len(self._tokens):
            raise NotationError(f"a bracket is closed that was never opened: {self._path!r}")
        if len(ways) > 1:
            raise NotationError(f"alternatives stand in brackets, (a|b): {self._path!r}")
        return ways[0]

    def _ways(self, depth: int) -> list[tuple[Part, ...]]:
        if depth > self.DEEPEST:
            raise NotationError("brackets are nested too deeply")
        ways: list[tuple[Part, ...]] = []
        parts: list[Part] = []
        while self._next < len(self._tokens):
            token = self._tokens[self._next]
            name, glob, sign, escaped, text = token.groups()
            if sign == ")":
                break
            self._next += 1
            if sign == "(":
                parts.append(self._choice(depth))
            elif sign == "|":
                ways.append(tuple(parts))
                parts = []
            elif name:
                parts.append(Dynamic(name))
            elif glob:
                parts.append(Glob(glob))
            else:
                parts.append(Literal(escaped or text))
        ways.append(tuple(parts))
        return ways

    def _choice(self, depth: int) -> Choice:
        ways = self._ways(depth + 1)
        if self._next == len(self._tokens):
            raise NotationError(f"a bracket is never closed: {self._path!r}")
        self._next += 1
        return Choice((*ways, ()))


_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
    "space": r"\s",
}
_RUBY = re.compile(
    r"\\(?P<escape>.)|\[:(?P<posix>\w+):\]|(?P<open>\[\^?\]?)|(?P<close>\])"
    r"|\(\?(?P<on>[mix]*)-?(?P<off>[mix]*):|\(\?<(?P<name>[A-Za-z_]\w*)>",
    re.DOTALL,
)
_ESCAPES = {"h": "[0-9A-Fa-f]", "H": "[^0-9A-Fa-f]", "A": "", "z": "", "Z": "", "/": "/"}


def translate_regex(ruby: str) -> str:
    """A Ruby regular expression, without its slashes, in Python's dialect (for bytes).

    Covers what route constraints are made of. Anchors fall away, because a constraint always spans its whole segment;
    names of groups too. What has no counterpart raises NotationError, here or in `parse`.
    """
    in_class = False

    def one(found: re.Match[str]) -> str:
        nonlocal in_class
        if escape := found["escape"]:
            if in_class:
                return "0-9A-Fa-f" if escape == "h" else f"\\{escape}"
            return _ESCAPES.get(escape, f"\\{escape}")
        if found["open"]:
            if in_class:
                raise NotationError("a character class inside a character class is not understood")
            in_class = True
            return found["open"]
        if found["close"]:
            in_class = False
            return "]"
        if posix := found["posix"]:
            if posix not in _POSIX:
                raise NotationError(f"the character class [:{posix}:] is not known")
            return _POSIX[posix]
        if found["name"]:
            return "(?:"
        flags = (found["on"] or "").replace("m", "s")
        return f"(?{flags}:" if flags else "(?:"

    return _RUBY.sub(one, ruby)
