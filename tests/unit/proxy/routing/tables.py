# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tables and visitors for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from proxy.config import load, parse
from proxy.routing import Decision, SubjectReader, Table, compile_table, decide
from railscompat.cookies import EncryptedCookies, SignedCookies

ROOT = Path(__file__).parents[4]
ENVIRON = {"LEGACY_URL": "http://127.0.0.1:3000", "PYTHON_URL": "http://127.0.0.1:4000"}
SECRET = "0123456789abcdef" * 8
NOW = datetime(2030, 1, 1, tzinfo=UTC)

HEAD = """\
version: 1
salt: s1
backends:
  legacy: {urls: ["http://127.0.0.1:3000"]}
  python: {urls: ["http://127.0.0.1:4000", "http://[::1]:4001"]}
  other: {urls: ["http://127.0.0.1:5000"]}
"""


def table_of(text: str, generation: int = 1) -> Table:
    """The table of a routing file without a catalogue (`HEAD` is put before it)."""
    loaded = parse((HEAD + text).encode(), "routing.yaml", {}, Path)
    assert loaded.errors == ()
    assert loaded.config is not None
    return compile_table(loaded.config, generation)


def shipped_table() -> Table:
    """The table of the files at the root of the project."""
    loaded = load(ROOT / "routing.yaml", ENVIRON)
    assert loaded.config is not None
    return compile_table(loaded.config, 1)


def reader(
    secret: str | None = SECRET, *, randomness: bytes | None = None, now: datetime = NOW
) -> SubjectReader:
    """A reader whose chance is one fixed byte string, repeated, where one is given."""
    if randomness is None:
        return SubjectReader(secret, lambda: now)
    return SubjectReader(secret, lambda: now, randomness=lambda count: (randomness * count)[:count])


def session_cookie(user: int | None, *, secret: str = SECRET, nonce: int = 0, **more: object) -> str:
    """A `_loomio` cookie; `user` None is nobody's session."""
    session: dict[str, object] = {"session_id": "abc", **more}
    if user is not None:
        session["warden.user.user.key"] = [[user], "$2a$10$abcdefghijklmnopqrstuv"]
    value = EncryptedCookies(secret).encrypt("_loomio", session, nonce=nonce.to_bytes(12, "big"))  # type: ignore[arg-type]  # plain values
    return f"_loomio={value}"


def remember_cookie(user: int, expires_at: datetime, *, secret: str = SECRET) -> str:
    """A `remember_user_token` cookie."""
    value = SignedCookies(secret).sign(
        "remember_user_token", [[user], "token", "1893456000.123"], expires_at=expires_at
    )
    return f"remember_user_token={value}"


def ask(
    table: Table,
    target: str,
    *,
    method: str = "GET",
    cookies: str = "",
    headers: Mapping[str, str] | None = None,
    by: SubjectReader | None = None,
    peer: str = "192.0.2.1",
    available: Sequence[bool] = (True, True, True),
    user: str | None = None,
) -> Decision:
    """Decide about one request."""
    path, _, query = target.partition("?")
    fields = {name.encode(): value.encode() for name, value in (headers or {}).items()}
    if cookies:
        fields[b"cookie"] = cookies.encode()
    route = table.match(method.encode(), path.encode()) or table.unmatched
    return decide(
        table,
        route,
        method=method.encode(),
        path=path.encode(),
        query=query.encode(),
        headers=fields,
        reader=by or reader(),
        peer=peer,
        available=available,
        user=user,
    )
