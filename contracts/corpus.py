# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reader of a corpus folder: typed, lazy, and exact about what is wrong and where.

Every file may lie plain or compressed (`.xz`, `.gz`). Files are read when they are asked for; bodies of cases
stay undecoded (`msgspec.Raw`) until somebody needs one, so that indexing the whole corpus stays cheap.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

OWN_COPY = Path(__file__).parent / "recordings" / "loomio-3.0.17"
"""The recordings that are kept with the project."""

ANONYMOUS = "anonymous"
"""The actor without a session."""

DEFAULT_ACCEPT = "application/json"
"""What recorded reads accept unless they say otherwise."""

_SUFFIXES = ("", ".xz", ".gz")


class CorpusError(Exception):
    """A corpus that cannot be used. `code` is stable: `corpus-missing` or `corpus-broken`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Cookie(msgspec.Struct, frozen=True):
    """A `Set-Cookie` of an answer, without its value."""

    name: str
    path: str = "/"
    httponly: bool = False
    secure: bool = False
    samesite: str = ""
    expires: bool = False
    deleted: bool = False


class ReadRequest(msgspec.Struct, frozen=True):
    """`path` is path and query as sent; `headers` only what differs from `Accept: application/json`."""

    method: str
    path: str
    headers: dict[str, str] = {}

    def header(self, name: str, default: str = "") -> str:
        """The value of a header, whose name is given in lower case; `default` where it is not told."""
        return next((value for known, value in self.headers.items() if known.lower() == name), default)


class Response(msgspec.Struct, frozen=True):
    """What was answered. `body` is undecoded JSON in the notation of `contracts.notation`."""

    status: int
    headers: dict[str, str | tuple[Cookie, ...]]
    body: msgspec.Raw = msgspec.Raw(b"null")

    def parsed_body(self) -> Any:
        """The body as Python values, decoded anew at each call."""
        return msgspec.json.decode(self.body)

    @property
    def cookies(self) -> tuple[Cookie, ...]:
        """The cookies that the answer set, in recorded order."""
        cookies = self.headers.get("set-cookie", ())
        return () if isinstance(cookies, str) else cookies

    @property
    def plain_headers(self) -> dict[str, str]:
        """The recorded headers but for the cookies."""
        return {name: value for name, value in self.headers.items() if isinstance(value, str)}


class Read(msgspec.Struct, frozen=True):
    """One case of `reads.jsonl`. Pointers in `noise` and `unordered` start at the root of the line."""

    id: str
    endpoint: str
    route: str
    actor: str
    request: ReadRequest
    response: Response
    date: datetime
    noise: tuple[str, ...] = ()
    unordered: tuple[str, ...] = ()


class SentFile(msgspec.Struct, frozen=True):
    """A file that a form carried; its content is in the stored files only where the application kept it."""

    filename: str
    type: str
    sha256: str
    length: int


class WriteRequest(ReadRequest, frozen=True):
    """At most one of `body` (JSON, undecoded; empty: none), `form` and `raw`. `files` make a multipart form."""

    body: msgspec.Raw = msgspec.Raw(b"")
    form: dict[str, Any] | None = None
    raw: str | None = None
    files: dict[str, SentFile] = {}


JOB = "JOB"
"""The method of a step that is no request: the work a clock starts, whose `path` names it."""


class WriteStep(msgspec.Struct, frozen=True):
    """One request of a write, and its answer."""

    actor: str
    request: WriteRequest
    response: Response


class Updated(msgspec.Struct, frozen=True):
    """A row that was changed: its primary key, and per column what it was and became."""

    key: dict[str, Any]
    set: dict[str, tuple[Any, Any]]


class TableEffect(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a case did to one table."""

    insert: list[dict[str, Any]] = []
    update: list[Updated] = []
    delete: list[dict[str, Any]] = []


class Message(msgspec.Struct, frozen=True):
    """What was published; `data` is parsed where it is JSON."""

    channel: str
    data: Any


class RedisEffect(msgspec.Struct, frozen=True):
    """What was published, in order, and the keys that were left (name → type, value, expires)."""

    messages: tuple[Message, ...] = ()
    keys: dict[str, dict[str, Any]] = {}


class Write(msgspec.Struct, frozen=True):
    """One case of `writes.jsonl`. Mails and outgoing posts stay as recorded; pointers start at the root of the line."""

    id: str
    endpoint: str
    steps: tuple[WriteStep, ...]
    rows: dict[str, TableEffect]
    redis: RedisEffect
    mails: tuple[dict[str, Any], ...]
    outgoing: tuple[dict[str, Any], ...]
    date: datetime
    setup: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    unordered: tuple[str, ...] = ()
    stopped: str | None = None

    @property
    def is_job(self) -> bool:
        """Whether a step is work that a clock starts, which no request can start."""
        return any(step.request.method == JOB for step in self.steps)


class Exchange(msgspec.Struct, frozen=True):
    """One line of `wire.jsonl`; `request` and `response` are bytes written as latin-1 text."""

    id: str
    endpoint: str
    actor: str
    form: str
    request: str
    response: str


class Step(msgspec.Struct, frozen=True):
    """One request of a person's browser.

    `at_ms` counts from the start of `step`; `ms` is the time until the answer was read.
    """

    journey: str
    actor: str
    step: str
    at_ms: int
    method: str
    path: str
    headers: dict[str, str]
    status: int
    ms: int
    bytes: int
    body: Any = None


class Actor(msgspec.Struct, frozen=True):
    """A person of the data set, as far as a replay needs them."""

    id: int
    name: str = ""
    email: str = ""
    username: str | None = None
    password: str | None = None


class World(msgspec.Struct, frozen=True):
    """The names of the data set: actors by name, records by slug."""

    actors: dict[str, Actor] = {}
    entities: dict[str, dict[str, Any]] = {}


_Record = TypeVar("_Record", Read, Write, Exchange, Step)
_Document = TypeVar("_Document")


class Corpus:
    """A folder of recordings. `Corpus.open()` is the project's own copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, folder: Path | None = None) -> Corpus:
        """The corpus in `folder` (None: the project's own). Raises `CorpusError` where there is none."""
        corpus = cls(folder or OWN_COPY)
        corpus._find("reads.jsonl")
        return corpus

    def reads(self) -> Iterator[Read]:
        """The recorded GETs, in file order."""
        return self._lines("reads.jsonl", Read)

    def writes(self) -> Iterator[Write]:
        """The recorded changing requests, in file order. Raises `CorpusError` where the corpus has none."""
        return self._lines("writes.jsonl", Write)

    def wire(self) -> Iterator[Exchange]:
        """The raw exchanges, in file order; none where the corpus has no such file."""
        return self._lines("wire.jsonl", Exchange) if self.has("wire.jsonl") else iter(())

    def journeys(self) -> Iterator[Step]:
        """What browsers asked, in file order; none where the corpus has no such file."""
        return self._lines("journeys.jsonl", Step) if self.has("journeys.jsonl") else iter(())

    @cached_property
    def sessions(self) -> dict[str, dict[str, str]]:
        """Actor → cookies (name → value as sent); an actor who is missing had no session."""
        return self._document("sessions.json", dict[str, dict[str, str]])

    @cached_property
    def world(self) -> World:
        """The data set's names."""
        return self._document("world.json", World)

    @cached_property
    def env(self) -> dict[str, str]:
        """The recorded server's settings, as environment variables."""
        return self._document("env.json", dict[str, str])

    @cached_property
    def recorded_at(self) -> datetime:
        """When the first read was recorded: the moment at which a replay starts its clock."""
        for case in self.reads():
            return case.date
        raise CorpusError("corpus-broken", f"{self._find('reads.jsonl')}: no case in it")

    def schema_sql(self) -> IO[str]:
        """The database structure, as a text stream to be closed by the caller."""
        return self._text("schema.sql")

    def data_sql(self) -> IO[str]:
        """The rows (COPY blocks), then the sequences' positions, as a text stream for the caller to close."""
        return self._text("data.sql")

    def stored_files(self) -> Iterator[tuple[str, bytes]]:
        """The stored files: key of the storage service and content; none where they were left out."""
        if not self.has("storage.tar"):
            return
        path = self._find("storage.tar")
        try:
            with _open(path) as stream, tarfile.open(fileobj=stream) as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isfile() else None
                    if content is not None:
                        yield member.name.rsplit("/", 1)[-1], content.read()
        except (tarfile.TarError, OSError, EOFError, lzma.LZMAError) as error:
            raise CorpusError("corpus-broken", f"{path}: not a readable archive ({error})") from error

    @cached_property
    def stored_by_digest(self) -> dict[str, bytes]:
        """The stored files by the SHA-256 of their content, in hex."""
        return {hashlib.sha256(content).hexdigest(): content for _, content in self.stored_files()}

    def has(self, name: str) -> bool:
        """Whether the folder holds `name`, plain or compressed."""
        return any((self.folder / f"{name}{suffix}").is_file() for suffix in _SUFFIXES)

    def raw(self, name: str) -> bytes:
        """A file's bytes as they lie in the folder, compressed or not."""
        path = self._find(name)
        try:
            return path.read_bytes()
        except OSError as error:
            raise CorpusError("corpus-broken", f"{path}: {error.strerror or error}") from error

    def _find(self, name: str) -> Path:
        for suffix in _SUFFIXES:
            path = self.folder / f"{name}{suffix}"
            if path.is_file():
                return path
        raise CorpusError(
            "corpus-missing",
            f"{self.folder}: no {name} there, plain, .xz or .gz; name a folder in the form of {OWN_COPY}",
        )

    def _text(self, name: str) -> IO[str]:
        return io.TextIOWrapper(_open(self._find(name)), encoding="utf-8", newline="")

    def _document(self, name: str, kind: type[_Document]) -> _Document:
        path = self._find(name)
        try:
            with _open(path) as stream:
                return msgspec.json.decode(stream.read(), type=kind)
        except (msgspec.MsgspecError, OSError, EOFError, lzma.LZMAError) as error:
            raise CorpusError("corpus-broken", f"{path}: {error}") from error

    def _lines(self, name: str, kind: type[_Record]) -> Iterator[_Record]:
        path = self._find(name)
        decoder = msgspec.json.Decoder(kind)
        number = 0
        try:
            with _open(path) as stream:
                for line in stream:
                    number += 1
                    if not line.isspace():
                        yield decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CorpusError("corpus-broken", f"{path}:{number}: {error}") from error
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise CorpusError("corpus-broken", f"{path}: unreadable after line {number} ({error})") from error


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    if path.suffix == ".gz":
        # GzipFile reads as any binary stream does; typeshed merely does not derive it from IO.
        return io.BufferedReader(gzip.open(path, "rb"))
    return path.open("rb")
