# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `bin/rails routes` prints → the rows of a catalogue. For any Rails application.

Both forms are read: the table, and the blocks of `--expanded`. A listing does not say everything:

- lambda constraints (`constraints: ->(request) { … }`, Devise's `authenticate`) are not printed, so such a route is
  taken to match always;
- whether a request may be repeated is nobody's knowledge but the reader's: everything but GET and HEAD is marked
  unsafe until somebody says otherwise, and GETs deserve a look too.

An engine mounted below some path becomes one row for all below it. One that is mounted at `/` passes on what it does
not know, so its own routes take its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from proxy.config import notation
from proxy.config.hidden import unreachable
from proxy.config.written import CatalogueRow, Repeat

NOT_JUDGED = "not known to be repeatable"
_REPEATABLE = frozenset({"GET", "HEAD"})
_VERBS = r"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT|LINK|UNLINK)"
_VERB_SET = re.compile(rf"{_VERBS}(?:\|{_VERBS})*")
_SECTION = re.compile(r"\[?\s*Routes for ([\w:]*\w)\s*\]?:?")
_BLOCK = re.compile(r"--\[ Route \d+ \]-*")
_FIELD = re.compile(r"(Prefix|Verb|URI|Controller#Action|Source Location)\s*\|\s?(.*)")
_ACTION = re.compile(r"([a-z0-9_][\w/]*)#(\w+[?!]?)")
_REGEX_VALUE = re.compile(r":?(\w+)(?:=>|: )\s*/((?:\\.|[^/\\])*)/([mixnu]*)", re.DOTALL)
_ENGINE = re.compile(r"[A-Z]\w*(?:::[A-Z]\w*)*")


class ListingError(ValueError):
    """The text is no listing of routes; the message says what is missing."""


@dataclass(slots=True)
class _Entry:
    """One route as printed."""

    prefix: str
    verb: str
    path: str
    endpoint: str


@dataclass(slots=True)
class Import:
    """A listing, read: the rows in Rails' order, and what was left out, in sentences."""

    rows: tuple[CatalogueRow, ...]
    left_out: tuple[str, ...] = field(default=())


def import_listing(text: str) -> Import:
    """The catalogue that a listing describes. Raises ListingError where it describes no route at all."""
    sections = _sections(text.splitlines())
    if not sections.get(""):
        raise ListingError(
            "no route was found: pass what `bin/rails routes` prints (with or without --expanded)"
        )
    left_out: list[str] = []
    rows = list(_rows(sections[""], sections, left_out))
    hidden = dict(unreachable(rows))
    left_out += [
        f"{rows[index].method} {rows[index].path} ({rows[index].name}): "
        f"hidden by {rows[first].method} {rows[first].path}"
        for index, first in hidden.items()
    ]
    return Import(tuple(row for index, row in enumerate(rows) if index not in hidden), tuple(left_out))


def merge(rows: Iterable[CatalogueRow], known: Sequence[CatalogueRow]) -> tuple[CatalogueRow, ...]:
    """`rows`, with the names and marks that `known` has for the same method and path."""
    marks = {(row.method, row.path.removesuffix("(.:format)")): row for row in known}
    merged = []
    for row in rows:
        old = marks.get((row.method, row.path.removesuffix("(.:format)")))
        merged.append(
            row
            if old is None
            else replace(row, name=old.name, repeat=old.repeat, why=old.why, body_token=old.body_token)
        )
    return tuple(merged)


def _sections(lines: Sequence[str]) -> dict[str, list[_Entry]]:
    """Entries by engine; the application's own under ""."""
    sections: dict[str, list[_Entry]] = {"": []}
    entries = sections[""]
    block: dict[str, str] | None = None
    label = ""
    for line in [*lines, ""]:
        if section := _SECTION.fullmatch(line.strip()):
            name = section[1]
            own = name == "application" or name.endswith("::Application")
            entries = sections.setdefault("" if own else name, [])
            block = None
        elif _BLOCK.match(line):
            block = {}
        elif block is not None:
            if found := _FIELD.match(line):
                label = found[1]
                block[label] = found[2].strip()
            elif line.strip() and label:
                block[label] += line.strip()
            if "URI" in block and label == "Controller#Action":
                entry = _Entry(block["Prefix"], block["Verb"], block["URI"], block[label])
                if entries and block.get("entered"):
                    entries[-1] = entry
                else:
                    entries.append(entry)
                    block["entered"] = "yes"
        elif entry_of_line := _entry(line):
            entries.append(entry_of_line)
        elif entries and line[:1].isspace() and line.strip():
            # A line that was broken: the rest of the one before.
            entries[-1].endpoint = f"{entries[-1].endpoint} {line.strip()}".strip()
    return sections


def _entry(line: str) -> _Entry | None:
    """A line of the table; None for anything else."""
    found = re.match(r"\s*((?:\S+\s+){0,2}?)(\(*/\S*)(.*)", line)
    if found is None:
        return None
    words = found[1].split()
    verb = words.pop() if words and _VERB_SET.fullmatch(words[-1]) else ""
    if len(words) > 1:
        return None
    return _Entry(words[0] if words else "", verb, found[2], found[3].strip())


def _rows(
    entries: Sequence[_Entry], sections: dict[str, list[_Entry]], left_out: list[str]
) -> Iterator[CatalogueRow]:
    for entry in entries:
        mount = _is_mount(entry)
        engine = entry.endpoint.split()[0] if entry.endpoint else ""
        if mount and entry.path == "/":
            inner = sections.get(engine, [])
            if not inner:
                left_out.append(
                    f"{engine} at /: its own routes are not listed, and at / it would hide all others"
                )
            yield from _rows([one for one in inner if not (_is_mount(one) and one.path == "/")], {}, left_out)
            continue
        methods = tuple(dict.fromkeys(entry.verb.split("|"))) if entry.verb else ()
        repeatable = bool(methods) and _REPEATABLE.issuperset(methods)
        try:
            pattern = notation.parse(entry.path)
            constraints = _constraints(entry.endpoint, pattern)
            notation.parse(entry.path, constraints, mount=mount)
        except notation.NotationError as error:
            left_out.append(f"{entry.verb or 'ANY'} {entry.path}: {error}")
            continue
        yield CatalogueRow(
            methods=methods,
            path=pattern.path,
            name=_name(entry),
            repeat=Repeat.SAFE if repeatable else Repeat.UNSAFE,
            why="" if repeatable else NOT_JUDGED,
            mount=mount,
            constraints=constraints,
        )


def _is_mount(entry: _Entry) -> bool:
    """Whether the route is a mounted engine or Rack application: it matches everything below its path."""
    return (
        not entry.verb
        and not entry.path.endswith("(.:format)")
        and not _ACTION.match(entry.endpoint)
        and not entry.endpoint.startswith("redirect(")
    )


def _name(entry: _Entry) -> str:
    """The stable name: `api/v1/x#y` → `x#y`, `api/b2/x#y` → `b2/x#y`, everything else below `web/`."""
    if action := _ACTION.match(entry.endpoint):
        name = f"{action[1]}#{action[2]}"
        if name.startswith("api/"):
            return name.removeprefix("api/").removeprefix("v1/")
        return f"web/{name}"
    if entry.endpoint.startswith("redirect("):
        return "web/redirect"
    if engine := _ENGINE.match(entry.endpoint):
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", engine[0].replace("::", "_"))
        return f"web/{words.lower()}"
    return f"web/{entry.prefix or 'inline'}"


def _constraints(endpoint: str, pattern: notation.Pattern) -> dict[str, str]:
    """The regular expressions that the listing prints behind the endpoint, for parts of the path."""
    _, brace, tail = endpoint.partition("{")
    names = set(notation.names_of(pattern.parts))
    found = {}
    for name, source, flags in _REGEX_VALUE.findall(tail) if brace else ():
        if name in names:
            kept = "".join(flag for flag in flags if flag in "mix")
            found[name] = f"(?{kept}:{source})" if kept else source
    return found
