# SPDX-License-Identifier: AGPL-3.0-or-later
"""Says when the configuration's files may have changed.

Folders are watched, not files: a file that an editor or a deployment replaces is another file with the same name, and
a Kubernetes ConfigMap changes by swapping the symbolic link `..data` beside it. What counts is the content in the end:
an event that changed nothing in it (a temporary file, a touch) is not passed on. Twice a second the files are looked
at without any event, for file systems that send none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from hashlib import blake2b
from pathlib import Path

from watchfiles import awatch

from proxy.config.nodes import MOST_BYTES

DEBOUNCE_MS = 100
LOOK_ANYWAY_MS = 500
RETRY_SECONDS = 1.0

Fingerprint = tuple[tuple[str, bytes | None], ...]


async def watch(files: Callable[[], Sequence[Path]]) -> AsyncIterator[None]:
    """Yield whenever the content of `files()` may have changed; once at the start, for what happened before.

    `files` is asked anew after each yield, because a new routing file may name another catalogue. Never ends by
    itself; a folder that does not exist is waited for.
    """
    seen: Fingerprint | None = None
    while True:
        now = await asyncio.to_thread(_fingerprint, files())
        if now != seen:
            seen = now
            yield
            continue
        folders = _folders(files())
        try:
            async for _ in awatch(
                *folders,
                watch_filter=None,
                recursive=False,
                debounce=DEBOUNCE_MS,
                step=DEBOUNCE_MS // 2,
                rust_timeout=LOOK_ANYWAY_MS,
                yield_on_timeout=True,
            ):
                now = await asyncio.to_thread(_fingerprint, files())
                if now != seen:
                    seen = now
                    yield
                if _folders(files()) != folders:
                    break
        except FileNotFoundError:
            await asyncio.sleep(RETRY_SECONDS)


def _fingerprint(files: Sequence[Path]) -> Fingerprint:
    return tuple((str(file), _digest(file)) for file in files)


def _digest(file: Path) -> bytes | None:
    """A digest of the content; None where there is none to read."""
    try:
        with file.open("rb") as opened:
            return blake2b(opened.read(MOST_BYTES + 1), digest_size=16).digest()
    except OSError:
        return None


def _folders(files: Sequence[Path]) -> tuple[Path, ...]:
    """Where the files lie, and where their symbolic links lead."""
    folders: dict[Path, None] = {}
    for file in files:
        folders[file.absolute().parent] = None
        folders[file.resolve().parent] = None
    return tuple(folders)
