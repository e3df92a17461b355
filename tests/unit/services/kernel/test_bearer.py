# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bearer tokens: what is taken, and everything that is not."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey

from services.kernel.bearer import LEEWAY, LONGEST, BearerTokens, InvalidTokenError, token_in
from services.kernel.settings import BearerSettings

SECRET = "a secret of this test, which is long enough"  # noqa: S105 (made for this test)
SITE = "https://orchard.example"
SETTINGS = BearerSettings(SECRET, "https://api.orchard.example", 900)
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
TOKENS = BearerTokens(SETTINGS, SITE)


@dataclass(frozen=True)
class Somebody:
    id: int = 7
    password_salt: str = "$2a$10$abcdefghijklmnopqrstuv"  # noqa: S105 (made for this test)
    secret_token: str = "3f0e"  # noqa: S105 (made for this test)


TOKEN = TOKENS.give(Somebody(), NOW)


def part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def opened(token: str) -> dict[str, Any]:
    middle = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return claims


def sealed(header: Any, claims: Any, key: bytes = SECRET.encode(), digest: str = "sha256") -> str:
    """A token made by hand, as an attacker makes one."""
    text = f"{part(header)}.{part(claims)}"
    return f"{text}.{part(hmac.digest(key, text.encode(), digest))}"


def is_taken(token: str, now: datetime = NOW, tokens: BearerTokens = TOKENS) -> bool:
    try:
        tokens.read(token, now)
    except InvalidTokenError:
        return False
    return True


def test_a_token_is_its_owners() -> None:
    owner, fingerprint = TOKENS.read(TOKEN, NOW)
    assert owner == 7
    assert TOKENS.fits(fingerprint, Somebody())
    assert sealed({"typ": "JWT", "alg": "HS256"}, opened(TOKEN)) != TOKEN  # letters differ, yet it is one
    assert is_taken(sealed({"typ": "JWT", "alg": "HS256"}, opened(TOKEN)))


def test_it_ends_with_the_password_and_with_signing_out() -> None:
    _, fingerprint = TOKENS.read(TOKEN, NOW)
    for other in (
        replace(Somebody(), password_salt="$2a$10$another"),  # noqa: S106 (made for this test)
        replace(Somebody(), secret_token="another"),  # noqa: S106 (made for this test)
        replace(Somebody(), id=8),
    ):
        assert not TOKENS.fits(fingerprint, other)


def test_it_tells_nothing_but_whose_it_is() -> None:
    claims = opened(TOKEN)
    assert claims.keys() == {"iss", "aud", "sub", "iat", "exp", "acc"}
    said = json.dumps(claims)
    assert Somebody().password_salt not in said
    assert Somebody().secret_token not in said
    other = BearerTokens(replace(SETTINGS, secret=SECRET + "!"), SITE)
    assert opened(other.give(Somebody(), NOW))["acc"] != claims["acc"]


def test_it_holds_for_its_time_by_the_callers_clock() -> None:
    for seconds, good in (
        (-LEEWAY - 1, False),
        (-1, True),
        (899, True),
        (900 + LEEWAY, False),
        (10**6, False),
    ):
        assert is_taken(TOKEN, NOW + timedelta(seconds=seconds)) is good, seconds


def test_tokens_of_others_are_not_taken() -> None:
    for settings, site in (
        (replace(SETTINGS, audience=SITE), SITE),
        (SETTINGS, "https://elsewhere.example"),
        (replace(SETTINGS, secret=SECRET[::-1]), SITE),
    ):
        assert not is_taken(TOKEN, tokens=BearerTokens(settings, site))


def test_every_claim_must_be_there_and_make_sense() -> None:
    claims, header = opened(TOKEN), {"alg": "HS256"}
    assert is_taken(sealed(header, claims))
    for name in claims:
        assert not is_taken(sealed(header, {key: value for key, value in claims.items() if key != name})), (
            name
        )
        odds: list[Any] = [None, "", [], {}, "x", -1, True, [claims[name], 1]]
        for odd in odds:
            makes_sense = (name, odd) in [("acc", "x"), ("iat", -1)]  # whether "x" fits is asked later
            assert is_taken(sealed(header, claims | {name: odd})) is makes_sense, (name, odd)
    for subject in ("7.0", " 7", "٧", "-7", "9" * 40):
        assert not is_taken(sealed(header, claims | {"sub": subject})), subject


def test_no_other_algorithm_is_taken_whatever_the_token_says() -> None:
    claims = opened(TOKEN)
    head, body, seal = TOKEN.split(".")
    for name in ("none", "None", "NONE", "nOnE", ""):
        for signature in ("", seal):
            assert not is_taken(f"{part({'alg': name})}.{body}.{signature}"), name
    for name, digest in (("HS384", "sha384"), ("HS512", "sha512")):
        assert not is_taken(sealed({"alg": name}, claims, digest=digest)), name
    algorithms: list[Any] = [None, ["HS256"], {}, 256]
    headers: list[Any] = [{}, {"typ": "JWT"}, [], None, *({"alg": one} for one in algorithms)]
    for header in headers:
        assert not is_taken(sealed(header, claims)), header
    assert not is_taken(f"{head}.{body}.")


def test_keys_are_not_confused() -> None:
    """A public key is no secret: neither ours, nor one that the token brings along."""
    private = rsa.generate_private_key(65537, 2048)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = opened(TOKEN)
    assert not is_taken(sealed({"alg": "HS256"}, claims, key=pem))
    signed = jwt.encode(
        {"alg": "RS256"},
        dict(claims),
        RSAKey.import_key(private),
        registry=jws.JWSRegistry(algorithms=["RS256"]),
    )
    assert not is_taken(signed)
    own = OctKey.import_key(b"the attacker's own key, long enough")
    for brought in (
        {"jwk": own.as_dict()},
        {"jku": "http://127.0.0.1/keys"},
        {"kid": "../../dev/null"},
        {"x5u": "http://127.0.0.1/"},
        {"crit": ["b64"], "b64": False},
    ):
        assert not is_taken(sealed({"alg": "HS256", **brought}, claims, key=own.raw_value)), brought


def test_a_changed_token_is_none() -> None:
    head, body, seal = TOKEN.split(".")
    stolen = part(opened(TOKEN) | {"sub": "1"})
    for token in (
        f"{head}.{stolen}.{seal}",
        f"{head}.{body}.{part(b'x' * 32)}",
        f"{head}.{body}",
        f"{TOKEN}.{seal}",
        f"{TOKEN} ",
        f"x{TOKEN}",
        TOKEN + "A" * LONGEST,
        "",
    ):
        assert not is_taken(token), token


@given(st.text(max_size=300))
def test_no_text_is_taken_or_an_error_of_ours(text: str) -> None:
    assert not is_taken(text)
    head, body, seal = TOKEN.split(".")
    for token in (f"{text}.{body}.{seal}", f"{head}.{text}.{seal}"):
        assert not is_taken(token) or token == TOKEN


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["alg", "typ", "crit", "x"]), inner),
        max_leaves=8,
    )
)
def test_no_header_is_an_error_of_ours(header: Any) -> None:
    is_taken(sealed(header, opened(TOKEN)))


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("", None),
        ("Basic dTpw", None),
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("BEARER", ""),
        ("Bearerabc", None),
    ],
)
def test_only_that_scheme_brings_one(header: str | None, token: str | None) -> None:
    assert token_in(header) == token
