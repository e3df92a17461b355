# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cookies: made here and opened by somebody else's code, made elsewhere and opened here, tampered with."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import pytest
import rubymarshal.reader
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from railscompat import marshal
from railscompat.cookies import MAX_COOKIE_BYTES, EncryptedCookies, SignedCookies
from railscompat.errors import Code, CookieError
from railscompat.keys import derive_key
from railscompat.marshal import Value

SECRET = "a secret of the tests"  # noqa: S105 - it protects nothing
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
ENCRYPTED = EncryptedCookies(SECRET)
SIGNED = SignedCookies(SECRET)
NONCE = bytes(range(12))

nonces = st.binary(min_size=12, max_size=12)
sessions: st.SearchStrategy[Any] = st.dictionaries(
    st.text("abc_", min_size=1, max_size=10),
    st.one_of(st.none(), st.booleans(), st.integers(-1000, 1000), st.text(max_size=40)),
    max_size=6,
)


def rails_key(salt: bytes, length: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha1", SECRET.encode(), salt, 1000, length)


def rails_decrypt(value: str) -> bytes:
    """What Rails' encryptor does, written from its description with other means than the code under test."""
    ciphertext, nonce, tag = (base64.b64decode(part, validate=True) for part in unquote(value).split("--"))
    mode = modes.GCM(nonce, tag, min_tag_length=16)
    key = rails_key(b"authenticated encrypted cookie", 32)
    decryptor = Cipher(algorithms.AES(key), mode).decryptor()
    return decryptor.update(ciphertext) + decryptor.finalize()


def rails_encrypt(plain: bytes) -> str:
    encryptor = Cipher(
        algorithms.AES(rails_key(b"authenticated encrypted cookie", 32)), modes.GCM(NONCE)
    ).encryptor()
    ciphertext = encryptor.update(plain) + encryptor.finalize()
    return quote(
        "--".join(base64.b64encode(part).decode() for part in (ciphertext, NONCE, encryptor.tag)), ""
    )


def rails_sign(message: bytes) -> str:
    text = base64.b64encode(message)
    return quote(
        f"{text.decode()}--{hmac.new(rails_key(b'signed cookie', 64), text, 'sha1').hexdigest()}", ""
    )


def envelope(value: Value, *, exp: str | None = None, pur: str | None = None) -> bytes:
    message = base64.b64encode(marshal.dump(value)).decode()
    return json.dumps(
        {"_rails": {"message": message, "exp": exp, "pur": pur}}, separators=(",", ":")
    ).encode()


def code_of_decrypting(value: str | bytes, **options: Any) -> Code:
    with pytest.raises(CookieError) as caught:
        ENCRYPTED.decrypt("_session", value, **options)
    return caught.value.code


def code_of_verifying(value: str | bytes) -> Code:
    with pytest.raises(CookieError) as caught:
        SIGNED.verify("remember", value, now=NOW)
    return caught.value.code


@pytest.mark.parametrize(
    ("salt", "length", "iterations", "key"),
    [
        # RFC 6070's vectors of PBKDF2-HMAC-SHA1.
        ("salt", 20, 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
        ("salt", 20, 4096, "4b007901b765489abead49d926f721d065a429c1"),
    ],
)
def test_keys_are_those_of_the_standard(salt: str, length: int, iterations: int, key: str) -> None:
    assert derive_key("password", salt, length, iterations).hex() == key


def test_keys_take_a_thousand_rounds_unless_told_otherwise() -> None:
    assert derive_key(SECRET, "signed cookie", 64) == rails_key(b"signed cookie", 64)


def test_an_empty_secret_is_no_secret() -> None:
    with pytest.raises(ValueError, match="empty"):
        EncryptedCookies("")


@given(sessions, nonces)
def test_others_read_what_we_encrypt(session: Any, nonce: bytes) -> None:
    value = ENCRYPTED.encrypt("_session", session, nonce=nonce)
    read = rubymarshal.reader.loads(rails_decrypt(value))
    assert {str(key): getattr(element, "text", element) for key, element in read.items()} == session


@given(sessions)
def test_we_read_what_others_encrypt(session: Any) -> None:
    value = rails_encrypt(marshal.dump(session))
    assert ENCRYPTED.decrypt("_session", value) == session
    assert ENCRYPTED.decrypt("_session", value.encode()) == session
    assert ENCRYPTED.encrypt("_session", session, nonce=NONCE) == value


@given(sessions, nonces, st.data())
def test_no_letter_of_an_encrypted_cookie_can_be_changed(
    session: Any, nonce: bytes, data: st.DataObject
) -> None:
    raw = unquote(ENCRYPTED.encrypt("_session", session, nonce=nonce))
    place = data.draw(st.integers(0, len(raw) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda c: c != raw[place]))
    code_of_decrypting(quote(raw[:place] + letter + raw[place + 1 :], ""))


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_anything_else_is_no_cookie(value: str | bytes) -> None:
    code_of_decrypting(value)
    code_of_verifying(value)


def test_base64_has_one_way_to_write_bytes() -> None:
    raw = unquote(ENCRYPTED.encrypt("_session", {}, nonce=NONCE))
    assert raw.endswith("==")
    # The last letter stands for two bits of the tag; the other four are to be zero.
    after = chr(ord(raw[-3]) + 1)
    assert code_of_decrypting(quote(raw[:-3] + after + "==", "")) == Code.MALFORMED


def test_another_secret_opens_nothing() -> None:
    value = EncryptedCookies("another").encrypt("_session", {}, nonce=NONCE)
    assert code_of_decrypting(value) == Code.TAMPERED


@pytest.mark.parametrize(
    "value",
    [
        "",
        "--",
        "----",
        "a--b",
        "YQ==--YQ==--YQ==--YQ==",
        "YQ--YQ==--YQ==",
        "YQ==--YQ==--YQ==",
        "é--é--é",
        "%",
        "%zz",
    ],
)
def test_other_forms_are_malformed(value: str) -> None:
    assert code_of_decrypting(value) == Code.MALFORMED


def test_escaping_is_decoded_as_rack_does() -> None:
    session: Value = {"a": "?>" * 30}
    value = ENCRYPTED.encrypt("_session", session, nonce=b"\xfb\xff" * 6)
    assert "%2B" in value
    assert not set("+/=") & set(value)
    assert ENCRYPTED.decrypt("_session", value.replace("%2F", "%2f").replace("%3D", "=")) == session
    assert code_of_decrypting(value.replace("%2B", "+")) == Code.MALFORMED


def test_what_is_inside_must_be_marshal() -> None:
    assert code_of_decrypting(rails_encrypt(b'{"a":1}')) == Code.MALFORMED
    assert code_of_decrypting(rails_encrypt(b"\x04\x08o:\x0bObject\x00")) == Code.UNSUPPORTED


def test_cookies_beyond_the_limit_are_neither_made_nor_read() -> None:
    with pytest.raises(CookieError) as caught:
        ENCRYPTED.encrypt("_session", {"a": "x" * 3100}, nonce=NONCE)
    assert caught.value.code == Code.TOO_LARGE
    largest = ENCRYPTED.encrypt("_session", {"a": "x" * 3000}, nonce=NONCE)
    assert ENCRYPTED.decrypt("_session", largest) == {"a": "x" * 3000}
    assert code_of_decrypting(rails_encrypt(marshal.dump({"a": "x" * 3100}))) == Code.TOO_LARGE
    assert code_of_decrypting("a" * 10 * MAX_COOKIE_BYTES) == Code.TOO_LARGE


def test_a_value_outside_marshal_fits_in_no_cookie() -> None:
    wrong: Any = {"a": object()}
    with pytest.raises(CookieError) as caught:
        ENCRYPTED.encrypt("_session", wrong, nonce=NONCE)
    assert caught.value.code == Code.UNSUPPORTED
    with pytest.raises(CookieError) as caught:
        SIGNED.sign("remember", wrong, expires_at=None)
    assert caught.value.code == Code.UNSUPPORTED


def test_a_nonce_has_twelve_bytes() -> None:
    with pytest.raises(ValueError, match="12"):
        ENCRYPTED.encrypt("_session", {}, nonce=b"short")


def test_an_encrypted_cookie_may_be_bound_to_its_name_and_time() -> None:
    later, earlier = "2031-05-01T12:00:00.001Z", "2031-05-01T12:00:00.000Z"
    bound = rails_encrypt(envelope({"a": 1}, exp=later, pur="cookie._session"))
    assert ENCRYPTED.decrypt("_session", bound, now=NOW) == {"a": 1}
    assert code_of_decrypting(bound) == Code.EXPIRED
    assert code_of_decrypting(rails_encrypt(envelope({}, exp=earlier)), now=NOW) == Code.EXPIRED
    assert code_of_decrypting(rails_encrypt(envelope({}, pur="cookie.other"))) == Code.PURPOSE
    assert ENCRYPTED.decrypt("_session", rails_encrypt(envelope({}, pur="cookie._session"))) == {}


@given(sessions)
def test_we_verify_what_others_sign(value: Any) -> None:
    assert SIGNED.verify("remember", rails_sign(marshal.dump(value)), now=NOW) == value
    assert SIGNED.sign("remember", value, expires_at=None) == rails_sign(marshal.dump(value))


def test_a_signed_cookie_with_an_expiry_is_that_of_rails() -> None:
    value: Value = [[7], "token", "1795522031.1391857"]
    made = SIGNED.sign("remember", value, expires_at=NOW + timedelta(milliseconds=139.9))
    assert made == rails_sign(envelope(value, exp="2031-05-01T12:00:00.139Z"))
    assert SIGNED.verify("remember", made, now=NOW) == value
    with pytest.raises(CookieError) as caught:
        SIGNED.verify("remember", made, now=NOW + timedelta(milliseconds=139))
    assert caught.value.code == Code.EXPIRED


def test_a_signed_cookie_is_taken_for_its_name_or_for_no_purpose() -> None:
    for purpose in ("cookie.remember", None):
        assert SIGNED.verify("remember", rails_sign(envelope(1, pur=purpose)), now=NOW) == 1
    for purpose in ("cookie.other", "remember", ""):
        assert code_of_verifying(rails_sign(envelope(1, pur=purpose))) == Code.PURPOSE


@given(sessions, st.data())
def test_no_letter_of_a_signed_cookie_can_be_changed(value: Any, data: st.DataObject) -> None:
    raw = unquote(SIGNED.sign("remember", value, expires_at=NOW + timedelta(days=14)))
    place = data.draw(st.integers(0, len(raw) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda c: c != raw[place]))
    code_of_verifying(quote(raw[:place] + letter + raw[place + 1 :], ""))


def test_a_signature_of_another_secret_does_not_count() -> None:
    assert code_of_verifying(SignedCookies("another").sign("remember", 1, expires_at=None)) == Code.TAMPERED


@pytest.mark.parametrize(
    "message",
    [
        b'{"_rails":{"message":1,"exp":null,"pur":null}}',
        b'{"_rails":{"message":"BAgw","exp":1,"pur":null}}',
        b'{"_rails":{"message":"BAgw","exp":"soon","pur":null}}',
        b'{"_rails":{"message":"BAgw","exp":null,"pur":["x"]}}',
        b'{"_rails":{"message":"BAgw"',
        b'{"_rails":{"message":' + b"[" * 2500,
        b'{"_rails":{"message":"not base64","exp":null,"pur":null}}',
    ],
)
def test_a_genuine_envelope_of_another_form_is_malformed(message: bytes) -> None:
    assert code_of_verifying(rails_sign(message)) == Code.MALFORMED


def test_an_expiry_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        SIGNED.sign("remember", 1, expires_at=datetime(2031, 5, 1))  # noqa: DTZ001 - the mistake under test
    message = b'{"_rails":{"message":"BAgw","exp":"2099-01-01T00:00:00.000","pur":null}}'
    assert code_of_verifying(rails_sign(message)) == Code.EXPIRED
