# SPDX-License-Identifier: AGPL-3.0-or-later
"""ActiveStorage's signed texts: made byte for byte, read for their purpose only."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railscompat.errors import Code, MarshalError, SignedIdError
from railscompat.marshal import AsciiString, Symbol, Value
from railscompat.signed_ids import BLOB_ID, BLOB_KEY, VARIATION, BlobKey, SignedIds, variation_digest

SECRET = "a secret of the tests"  # noqa: S105 - it protects nothing
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
IDS = SignedIds(SECRET)
PREVIEW: dict[Symbol, Value] = {
    Symbol("resize_to_limit"): [1280, 1280],
    Symbol("saver"): {Symbol("quality"): 85, Symbol("strip"): True},
}
PREVIEW_MARSHALLED = (
    b"\x04\b{\a:\x14resize_to_limit[\ai\x02\x00\x05i\x02\x00\x05:\nsaver{\a:\fqualityiZ:\nstripT"
)


def rails_sign(message: bytes) -> str:
    """What Rails' verifier does, written from its description."""
    key = hashlib.pbkdf2_hmac("sha1", SECRET.encode(), b"ActiveStorage", 1000, 64)
    text = base64.b64encode(message)
    return f"{text.decode()}--{hmac.new(key, text, hashlib.sha1).hexdigest()}"


def envelope(payload: bytes, exp: str, purpose: str) -> bytes:
    return b'{"_rails":{"message":"%s","exp":%s,"pur":"%s"}}' % (
        base64.b64encode(payload),
        exp.encode(),
        purpose.encode(),
    )


def test_a_blob_s_id_is_that_of_rails() -> None:
    signed = IDS.blob_id(1)
    assert signed == rails_sign(envelope(b"\x04\bi\x06", "null", "blob_id"))
    assert IDS.read_blob_id(signed, now=NOW) == 1


def test_a_variation_is_that_of_rails() -> None:
    signed = IDS.variation(PREVIEW)
    assert signed == rails_sign(envelope(PREVIEW_MARSHALLED, "null", "variation"))
    assert IDS.read_variation(signed, now=NOW) == PREVIEW


def test_a_blob_s_key_is_that_of_rails() -> None:
    blob = BlobKey(AsciiString("0c3x"), 'inline; filename="a.png"', "image/png", "local")
    payload = (
        b'\x04\b{\t:\bkeyI"\t0c3x\x06:\x06EF:\x10dispositionI"\x1dinline; filename="a.png"\x06;\x06T'
        b':\x11content_typeI"\x0eimage/png\x06;\x06T:\x11service_name:\nlocal'
    )
    signed = IDS.blob_key(blob, expires_at=NOW + timedelta(minutes=5))
    assert signed == rails_sign(envelope(payload, '"2031-05-01T12:05:00.000Z"', "blob_key"))
    assert IDS.read_blob_key(signed, now=NOW) == blob
    with pytest.raises(SignedIdError) as caught:
        IDS.read_blob_key(signed, now=NOW + timedelta(minutes=5))
    assert caught.value.code == Code.EXPIRED


def test_the_digest_of_a_variation() -> None:
    digest = base64.b64encode(hashlib.sha1(PREVIEW_MARSHALLED, usedforsecurity=False).digest()).decode()
    assert variation_digest(PREVIEW) == digest
    assert variation_digest(dict(reversed(PREVIEW.items()))) != digest


@given(st.integers(min_value=1, max_value=2**63))
def test_ids_come_back(number: int) -> None:
    assert IDS.read_blob_id(IDS.blob_id(number), now=NOW) == number


@pytest.mark.parametrize(
    ("made_for", "read_for"), [(BLOB_ID, VARIATION), (VARIATION, BLOB_KEY), ("", BLOB_ID)]
)
def test_a_purpose_is_not_another(made_for: str, read_for: str) -> None:
    with pytest.raises(SignedIdError) as caught:
        IDS.verify(IDS.sign(1, made_for), read_for, now=NOW)
    assert caught.value.code == Code.PURPOSE


def test_a_text_without_a_purpose_is_for_none() -> None:
    with pytest.raises(SignedIdError) as caught:
        IDS.verify(rails_sign(b"\x04\bi\x06"), BLOB_ID, now=NOW)
    assert caught.value.code == Code.PURPOSE


@pytest.mark.parametrize("payload", [None, True, "1", [1], {"key": "x"}, {Symbol("key"): "x"}])
def test_genuine_texts_of_another_shape_are_malformed(payload: Value) -> None:
    with pytest.raises(SignedIdError) as caught:
        IDS.read_blob_id(IDS.sign(payload, BLOB_ID), now=NOW)
    assert caught.value.code == Code.MALFORMED
    with pytest.raises(SignedIdError):
        IDS.read_blob_key(IDS.sign(payload, BLOB_KEY), now=NOW)
    if payload != {Symbol("key"): "x"}:
        with pytest.raises(SignedIdError):
            IDS.read_variation(IDS.sign(payload, VARIATION), now=NOW)


@given(st.integers(1, 10**6), st.data())
def test_no_letter_can_be_changed(number: int, data: st.DataObject) -> None:
    signed = IDS.blob_id(number)
    place = data.draw(st.integers(0, len(signed) - 1))
    letter = data.draw(st.characters().filter(lambda c: c != signed[place]))
    with pytest.raises(SignedIdError):
        IDS.read_blob_id(signed[:place] + letter + signed[place + 1 :], now=NOW)


@given(st.text(max_size=200))
def test_anything_else_is_no_signed_id(text: str) -> None:
    with pytest.raises(SignedIdError):
        IDS.read_blob_id(text, now=NOW)


def test_unknown_types_stay_unknown() -> None:
    with pytest.raises(SignedIdError) as caught:
        IDS.read_blob_id(rails_sign(envelope(b"\x04\bo:\x0bObject\x00", "null", "blob_id")), now=NOW)
    assert caught.value.code == Code.UNSUPPORTED
    with pytest.raises(MarshalError):
        IDS.sign(2**5000, BLOB_ID)
