# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people read: the operator's words where there are such, else ours.

`BANYAN_LOCALES` names a folder of Loomio's locale files (`config/locales` of the installation), as Rails has
them: YAML by language and key, `%{name}` for what differs. Of all that is in there only the keys of
`texts.json` are kept, which holds our own words, and what each text is given to say.

    texts = load(Path("/loomio/config/locales"))
    texts.say("email.login.subject", "fr", site_name="Orchard")

A text is looked for in the operator's files, in the language, then in English as in Rails; then among ours in
the same order. Files are read in the order of their names, and the later one counts, as in Rails.

Invariants
    * Nothing in a file is run, and no object but texts, numbers and mappings comes of it.
    * What is wrong with the files is found when they are loaded: a text never fails when it is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml

from services.kernel.locales import DEFAULT

LARGEST_FILE = 4 * 1024 * 1024
"""Bytes; Loomio's have a twentieth of that."""

_VALUE = re.compile(r"%(%?)\{(\w+)\}")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where there is one: ten times as fast

ByLanguage = Mapping[str, Mapping[str, str]]
"""Language → key → text."""


class TextsError(Exception):
    """The files are not usable; `problems` holds a line for each reason."""

    def __init__(self, problems: list[str]) -> None:
        """`problems`: file, place and cause, a line each."""
        super().__init__("\n".join(problems))
        self.problems = problems


def _own() -> tuple[dict[str, dict[str, str]], dict[str, frozenset[str]]]:
    told = msgspec.json.decode(Path(__file__).with_name("texts.json").read_bytes())
    values = {key: frozenset(entry.pop("values", ())) for key, entry in told.items()}
    texts: dict[str, dict[str, str]] = {}
    for key, entry in told.items():
        for language, text in entry.items():
            texts.setdefault(language, {})[key] = text
    return texts, values


OURS, VALUES = _own()
"""Our own words by language and key; and what may differ in the text of each key."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one installation."""

    path: str | None = None
    languages: tuple[str, ...] = ()
    """Of the operator's."""
    theirs: ByLanguage = field(default_factory=dict, repr=False)

    def say(self, key: str, language: str, **values: str) -> str:
        """The text of `key`, which `texts.json` knows, with its values filled in."""
        text = next(
            texts[one][key]
            for texts in (self.theirs, OURS)
            for one in (language, DEFAULT)
            if key in texts.get(one, {})
        )
        return _VALUE.sub(lambda found: found[0][1:] if found[1] else values[found[2]], text)


OURS_ALONE = Texts()
"""Where the operator has no words of their own."""


def load(folder: Path) -> Texts:
    """The operator's words. Raises `TextsError` with every problem."""
    problems: list[str] = []
    theirs: dict[str, dict[str, str]] = {}
    try:
        files = sorted(one for one in folder.iterdir() if one.suffix in (".yml", ".yaml"))
    except OSError as error:
        raise TextsError([f"{folder}: {error.strerror}"]) from None
    if not files:
        raise TextsError([f"{folder} has no locale files (*.yml)"])
    for file in files:
        for language, key, text in _texts_of(file, problems):
            theirs.setdefault(language, {})[key] = text
    if problems:
        raise TextsError(problems)
    return Texts(str(folder), tuple(sorted(theirs)), theirs)


def _texts_of(file: Path, problems: list[str]) -> Iterator[tuple[str, str, str]]:
    """Language, key and text of everything in a file that we use; adds to `problems` what is not right."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(LARGEST_FILE + 1)
        if len(raw) > LARGEST_FILE:
            problems.append(f"{file.name} is larger than {LARGEST_FILE} bytes")
            return
        document = yaml.load(raw, Loader=_LOADER)
    except OSError as error:
        problems.append(f"{file.name}: {error.strerror}")
        return
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problems.append(f"{file.name} is no YAML: {' '.join(str(error).split())}")
        return
    if not isinstance(document, dict):
        problems.append(f"{file.name} is no mapping of languages")
        return
    for language, tree in document.items():
        for key, allowed in VALUES.items():
            text = _at(tree, key)
            if text is None:
                continue
            if (problem := _problem(text, allowed)) is not None:
                problems.append(f"{file.name}: {language}.{key} {problem}")
            else:
                yield str(language), key, text


def _at(tree: Any, key: str) -> Any:
    """What stands there; None where nothing does."""
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _problem(text: Any, allowed: frozenset[str]) -> str | None:
    if not isinstance(text, str):
        return "is no text"
    unknown = sorted({name for escaped, name in _VALUE.findall(text) if not escaped} - allowed)
    return f"asks for {', '.join(unknown)}, which it is not given" if unknown else None
