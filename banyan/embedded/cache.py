# SPDX-License-Identifier: AGPL-3.0-or-later
"""The cache folder, and how several processes fill it at once without seeing half-made things."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from banyan.embedded.errors import EmbeddedError

Progress = Callable[[str], None]
"""Told one short sentence when something slow begins."""


def silent(_message: str) -> None:
    """The progress callback that says nothing."""


def cache_root() -> Path:
    """The cache folder, made if it is not there.

    `BANYAN_CACHE`, else for root `/var/cache/banyan` (root's own home is closed to `nobody`), else `banyan`
    in the XDG cache folder. Raises `EmbeddedError` when it can't be made.
    """
    if named := os.environ.get("BANYAN_CACHE"):
        root = Path(named).absolute()
    elif os.geteuid() == 0:
        root = Path("/var/cache/banyan")
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "banyan"
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"the cache folder {root} can't be made ({error}); name another in BANYAN_CACHE"
        ) from error
    return root


def publish_folder(target: Path, build: Callable[[Path], None]) -> Path:
    """Make the folder `target` by `build(folder)` unless it is there, whole or not at all.

    One process builds, the others wait for it; what a killed one left half-made is thrown away.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            draft = target.parent / f".{target.name}.draft"
            shutil.rmtree(draft, ignore_errors=True)
            build(draft)
            draft.rename(target)
    return target


def server_user() -> pwd.struct_passwd | None:
    """Whom PostgreSQL has to run as: `nobody` when we are root, None (ourselves) otherwise."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def require_reachable(folder: Path, remedy: str) -> None:
    """Raise `EmbeddedError` when the server's user may not enter `folder`'s parents."""
    if server_user() is None:
        return
    for parent in folder.parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            raise EmbeddedError(f"PostgreSQL runs as user nobody, who may not enter {parent}; {remedy}")
