# SPDX-License-Identifier: AGPL-3.0-or-later
"""The routing file that a demo runs, and where in it things stand."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final, NamedTuple

import banyan

NAME: Final = "routing.yaml"
_SHIPPED: Final = (NAME, "routes.yaml", "contracts/rules.yaml")


class NoRoutingFileError(Exception):
    """There is no routing file to run."""


def shipped_folder() -> Path:
    """Where the files that come with the project lie: in its checkout, or within the installed package."""
    package = Path(banyan.__file__).parent
    for folder in (package / "shipped", package.parent):
        if (folder / NAME).is_file():
            return folder
    raise NoRoutingFileError(f"this installation holds no {NAME}; name one with --config")


def find(named: Path | None, here: Path, spare: Path) -> Path:
    """The file to run: the `named` one, else that of the folder `here`, else a copy of the shipped in `spare`.

    Raises `NoRoutingFileError`.
    """
    if named is not None:
        if not named.is_file():
            raise NoRoutingFileError(f"--config {named}: there is no such file")
        return named
    if (here / NAME).is_file():
        return here / NAME
    return _copy_shipped(spare)


def _copy_shipped(spare: Path) -> Path:
    source = shipped_folder()
    for name in _SHIPPED:
        (spare / name).parent.mkdir(exist_ok=True)
        shutil.copy(source / name, spare / name)
    return spare / NAME


def find_ramp(named: Path | None, spare: Path) -> Path:
    """The file of a demo's ramp: the `named` one, else a copy of our own in `spare`. Raises `NoRoutingFileError`."""
    if named is not None:
        return find(named, spare, spare)
    own = Path(banyan.__file__).parent / "demo" / "ramp" / NAME
    return Path(shutil.copy(own, _copy_shipped(spare)))  # with the catalogue and the rules beside it


def block_of(text: str, key: str) -> list[str]:
    """The lines of `text`, a routing file, under the key of that name at its left edge, and that line itself."""
    lines = text.splitlines()
    begin = next((index for index, line in enumerate(lines) if line.startswith(f"{key}:")), len(lines))
    block = lines[begin : begin + 1]
    for line in lines[begin + 1 :]:
        if line and not line.startswith((" ", "#")):
            break
        block.append(line)
    while block and not block[-1].strip():
        del block[-1]
    return block


class Share(NamedTuple):
    """A group's share as it is written: line (from 1) and the number's text."""

    line: int
    percent: str


def share_of(text: str, group: str) -> Share | None:
    """Where `text`, a routing file, says the share of `group`; None where it does not in the usual form."""
    lines = text.splitlines()
    opening = re.compile(rf"(\s+){re.escape(group)}\s*:(?!\S)")
    for index, line in enumerate(lines):
        if start := opening.match(line):
            return _within(lines, index, len(start[1]))
    return None


def _within(lines: list[str], first: int, indent: int) -> Share | None:
    for index in range(first, len(lines)):
        line = lines[index]
        bare = line.lstrip()
        if index > first and bare and not bare.startswith("#") and len(line) - len(bare) <= indent:
            return None  # the next group begins
        if not bare.startswith("#") and (found := re.search(r"\bpercent:\s*([\d.]+)", line)):
            return Share(index + 1, found[1])
    return None
