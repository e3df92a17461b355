# SPDX-License-Identifier: AGPL-3.0-or-later
"""From files to a checked configuration, or to all that is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from proxy.config.catalogue import read_catalogue
from proxy.config.errors import Code, ConfigError, Findings, Severity, only
from proxy.config.kinds import INVALID, Walk
from proxy.config.nodes import MOST_BYTES, START, read_nodes
from proxy.config.resolve import resolve
from proxy.config.written import ROUTING, CatalogueRow, Written, WrittenConfig

_OTHERWISE = {"version": 1, "salt": "", "backends": {}}
"""Stands in for required keys that have an error of their own, so that all the rest is checked at once."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of loading. `config` is None exactly where there are errors; `files` are those looked at."""

    config: WrittenConfig | None
    errors: tuple[ConfigError, ...]
    warnings: tuple[ConfigError, ...]
    files: tuple[Path, ...]


def load(path: Path, environ: Mapping[str, str], *, require_variables: bool = True) -> Loaded:
    """Read and check a routing file and its catalogue. Never raises for what they contain.

    `environ` fills `${NAME}`. Where `require_variables` is false, unset names are no error and the URLs are
    placeholders: for whoever asks about routes and shares, not about backends.
    """
    findings = Findings(str(path))
    data = _read(path, findings)
    if data is None:
        return Loaded(None, only(findings.found, Severity.ERROR), (), (path,))
    return parse(
        data,
        str(path),
        environ,
        lambda name: path.parent / name,
        require_variables=require_variables,
    )


def parse(
    data: bytes,
    file: str,
    environ: Mapping[str, str],
    locate: Callable[[str], Path],
    *,
    require_variables: bool = True,
) -> Loaded:
    """Check the bytes of a routing file; `locate` says where the catalogue of a given name lies."""
    findings = Findings(file)
    catalogue_findings = Findings(file)
    files = [Path(file)]
    config = None
    walk = Walk(findings, environ, require_variables)
    node = read_nodes(data, findings)
    written = INVALID if node is None else ROUTING.read(node, (), walk, _OTHERWISE)
    if isinstance(written, Written):
        rows: tuple[CatalogueRow, ...] | None = None
        if written.catalogue is not None:
            place = locate(written.catalogue)
            files.append(place)
            catalogue_findings.file = str(place)
            rows = _catalogue(place, findings, catalogue_findings, walk)
        complete = rows is not None and not catalogue_findings.found
        if walk.is_written(("catalogue",)):
            rows = rows or ()
        all_rows, members = resolve(written, rows, walk, complete=complete)
        config = WrittenConfig(file, written, all_rows, members)
    found = [*findings.found, *catalogue_findings.found]
    errors = only(found, Severity.ERROR)
    return Loaded(None if errors else config, errors, only(found, Severity.WARNING), tuple(files))


def _catalogue(place: Path, findings: Findings, own: Findings, walk: Walk) -> tuple[CatalogueRow, ...] | None:
    """The catalogue's rows, as far as they can be read; None where the file cannot."""
    try:
        data = _bytes_of(place)
    except OSError as error:
        findings.add(
            Code.CATALOGUE_MISSING,
            walk.place(("catalogue",)),
            f"the catalogue {place} cannot be read: {error.strerror or error}",
            "Make it with `banyan routes import`, or correct its name.",
        )
        return None
    return read_catalogue(data, own)


def _read(path: Path, findings: Findings) -> bytes | None:
    try:
        return _bytes_of(path)
    except OSError as error:
        findings.add(
            Code.FILE_UNREADABLE,
            START,
            f"the file cannot be read: {error.strerror or error}",
            "Check its name and permissions.",
        )
        return None


def _bytes_of(path: Path) -> bytes:
    """The file's content, up to one byte more than is accepted."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)
