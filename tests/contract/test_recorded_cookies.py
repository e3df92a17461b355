# SPDX-License-Identifier: AGPL-3.0-or-later
"""Everything signed or encrypted that the recorded server gave out: we read it, and write the same bytes."""

import binascii
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import unquote

import pytest

from contracts.corpus import Corpus
from railscompat import csrf
from railscompat.cookies import EncryptedCookies, SignedCookies
from railscompat.devise import authenticatable_salt, is_remembered
from railscompat.errors import Code, CookieError
from railscompat.session import REMEMBER_COOKIE, SESSION_COOKIE, flashes_of, keys_of, remembered, user_of
from railscompat.signed_ids import BLOB_ID, BLOB_KEY, VARIATION, SignedIds

SIGNED_TEXT = re.compile(r"eyJfcmFpbHMi[A-Za-z0-9+/=%]*--[0-9a-f]{40}")
CORPUS = Corpus.open()
SECRET = CORPUS.env["SECRET_KEY_BASE"]


def values_of(name: str, head: str) -> Iterator[str]:
    """The values of a cookie in a request's or answer's head, unless it is being deleted."""
    return (value for value in re.findall(rf"(?im)^(?:set-)?cookie:.*?\b{name}=([^;\r\n]*)", head) if value)


@cache
def world() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((CORPUS.folder / "world.json").read_text())
    return document


@cache
def heads() -> tuple[tuple[str, str], ...]:
    """Head of request and of answer, of every exchange."""
    return tuple(
        (exchange.request.partition("\r\n\r\n")[0], exchange.response.partition("\r\n\r\n")[0])
        for exchange in CORPUS.wire()
    )


def recorded(name: str) -> frozenset[str]:
    """Every value of the cookie `name` in the corpus."""
    found = {value for pair in heads() for head in pair for value in values_of(name, head)}
    found |= {cookies[name] for cookies in CORPUS.sessions.values() if name in cookies}
    found |= {
        actor["cookies"][name] for actor in world()["actors"].values() if name in actor.get("cookies", {})
    }
    return frozenset(found)


def users() -> dict[int, dict[str, str | None]]:
    """The rows of the table of users, by id; null is None."""
    with CORPUS.data_sql() as text:
        for line in text:
            if line.startswith('COPY public."users" '):
                columns = re.findall(r'"([^"]+)"', line.partition("(")[2])
                break
        rows: dict[int, dict[str, str | None]] = {}
        for line in text:
            if line.startswith("\\."):
                break
            cells = [None if cell == "\\N" else cell for cell in line.rstrip("\n").split("\t")]
            row = dict(zip(columns, cells, strict=True))
            rows[int(row["id"] or 0)] = row
    return rows


def test_every_session_is_read_and_written_alike() -> None:
    jar = EncryptedCookies(SECRET)
    values = recorded(SESSION_COOKIE)
    assert len(values) > 100
    for value in values:
        session = jar.decrypt(SESSION_COOKIE, value)
        assert {"session_id", "_csrf_token"} <= keys_of(session)
        nonce = binascii.a2b_base64(unquote(value).split("--")[1])
        assert jar.encrypt(SESSION_COOKIE, session, nonce=nonce) == value


def test_an_actor_s_session_is_that_actor_s() -> None:
    jar, rows = EncryptedCookies(SECRET), users()
    signed_in = 0
    for name, cookies in CORPUS.sessions.items():
        if SESSION_COOKIE not in cookies:
            continue
        user = user_of(jar.decrypt(SESSION_COOKIE, cookies[SESSION_COOKIE]))
        assert user is not None
        assert user.id == CORPUS.world.actors[name].id
        assert user.password_salt == authenticatable_salt(rows[user.id]["encrypted_password"])
        signed_in += 1
    assert signed_in > 10


def test_messages_after_signing_in() -> None:
    jar = EncryptedCookies(SECRET)
    kinds: set[str] = set()
    for value in recorded(SESSION_COOKIE):
        kinds |= flashes_of(jar.decrypt(SESSION_COOKIE, value)).keys()
    assert "notice" in kinds


def test_every_remembered_user_is_known_until_the_cookie_expires() -> None:
    jar, rows = SignedCookies(SECRET), users()
    values = recorded(REMEMBER_COOKIE)
    assert values
    for value in values:
        expiry = expiry_of(unquote(value))
        assert expiry is not None
        payload = jar.verify(REMEMBER_COOKIE, value, now=CORPUS.recorded_at)
        assert jar.sign(REMEMBER_COOKIE, payload, expires_at=expiry) == value.replace("=", "%3D")
        user = remembered(payload)
        assert user is not None
        row = rows[user.id]
        created = datetime.fromisoformat(row["remember_created_at"] or "").replace(tzinfo=UTC)
        assert is_remembered(
            user, remember_token=row["remember_token"], remember_created_at=created, now=user.generated_at
        )
        with pytest.raises(CookieError) as caught:
            jar.verify(REMEMBER_COOKIE, value, now=expiry)
        assert caught.value.code == Code.EXPIRED


def test_every_csrftoken_is_the_session_s_global_token() -> None:
    jar = EncryptedCookies(SECRET)
    seen = 0
    for _, head in heads():
        for session, submitted in zip(
            values_of(SESSION_COOKIE, head), values_of("csrftoken", head), strict=True
        ):
            payload: Any = jar.decrypt(SESSION_COOKIE, session)
            real = csrf.real_token(payload["_csrf_token"])
            assert real is not None
            assert csrf.verify(real, submitted, path="/", method="POST")
            pad = binascii.a2b_base64(submitted.replace("-", "+").replace("_", "/") + "==")[:32]
            assert csrf.mask(csrf.global_token(real), pad) == submitted
            seen += 1
    assert seen > 100


def test_every_signed_id_is_read_and_written_alike() -> None:
    ids, now = SignedIds(SECRET), CORPUS.recorded_at
    texts = {match for case in CORPUS.reads() for match in SIGNED_TEXT.findall(case.request.path)}
    texts |= {match for step in CORPUS.journeys() for match in SIGNED_TEXT.findall(step.path)}
    texts |= {
        match
        for exchange in CORPUS.wire()
        for match in SIGNED_TEXT.findall(exchange.response.partition("\r\n\r\n")[2])
    }
    purposes: set[str] = set()
    for text in map(unquote, texts):
        purpose = purpose_of(text)
        expiry = expiry_of(text)
        payload = ids.verify(text, purpose, now=now)
        assert ids.sign(payload, purpose, expires_at=expiry) == text
        purposes.add(purpose)
        if purpose == BLOB_ID:
            assert ids.blob_id(ids.read_blob_id(text, now=now)) == text
        elif purpose == VARIATION:
            assert ids.variation(ids.read_variation(text, now=now)) == text
        elif purpose == BLOB_KEY:
            assert expiry is not None
            assert ids.blob_key(ids.read_blob_key(text, now=now), expires_at=expiry) == text
    assert purposes >= {BLOB_ID, VARIATION}


def envelope_of(text: str) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads(binascii.a2b_base64(text.split("--")[0]))["_rails"]
    return envelope


def expiry_of(text: str) -> datetime | None:
    expiry = envelope_of(text)["exp"]
    return None if expiry is None else datetime.fromisoformat(expiry)


def purpose_of(text: str) -> str:
    return str(envelope_of(text)["pur"])
