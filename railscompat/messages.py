# SPDX-License-Identifier: AGPL-3.0-or-later
"""What signed cookies and signed ids have in common: the signature and the envelope.

    signed text  =  base64(message) -- hex(HMAC-SHA1(key, base64(message)))
    message      =  payload, or the payload in an envelope that says until when and what for it holds:
                    {"_rails":{"message":base64(payload),"exp":"2031-05-01T12:00:00.000Z","pur":"…"}}
                    where one of exp and pur may be null

There is an envelope where there is an expiry or a purpose, and none otherwise. Here payloads are bytes;
what is in them is the caller's. Errors carry codes and are raised as the caller's own class, named by
`error`.
"""

import hmac
import json
from collections.abc import Container
from datetime import UTC, datetime

from railscompat import strict64
from railscompat.errors import Code, WireFormatError

ENVELOPE = b'{"_rails":{"message":'
"""How a message in an envelope begins."""


def sign(key: bytes, message: bytes) -> str:
    """The signed text of `message`: base64 and signature, not yet percent-encoded."""
    text = strict64.encode(message)
    return f"{text}--{_signature(key, text.encode())}"


def verify(key: bytes, signed: bytes, error: type[WireFormatError]) -> bytes:
    """The message of a signed text, compared in constant time."""
    text, separator, signature = signed.rpartition(b"--")
    if not separator:
        raise error(Code.MALFORMED, "no signature")
    if not hmac.compare_digest(_signature(key, text).encode(), signature):
        raise error(Code.TAMPERED, "the signature does not fit")
    return decode_base64(text, error)


def wrap(payload: bytes, *, expires_at: datetime | None, purpose: str | None) -> bytes:
    """The message of `payload`. `expires_at` must know its time zone and is cut to milliseconds."""
    if expires_at is None and purpose is None:
        return payload
    envelope = {
        "message": strict64.encode(payload),
        "exp": expires_at and _timestamp(expires_at),
        "pur": purpose,
    }
    return json.dumps({"_rails": envelope}, separators=(",", ":"), ensure_ascii=False).encode()


def unwrap(
    message: bytes, *, purposes: Container[str | None], now: datetime | None, error: type[WireFormatError]
) -> bytes:
    """The payload of a genuine message.

    `purposes` are those that are accepted; None among them stands for no purpose at all. Without `now`
    a message that can expire is refused, for there is no telling.
    """
    if not message.startswith(ENVELOPE):
        if None not in purposes:
            raise error(Code.PURPOSE, "made for no purpose")
        return message
    try:
        envelope = json.loads(message)["_rails"]
        payload, expiry, purpose = envelope["message"], envelope.get("exp"), envelope.get("pur")
        if not isinstance(payload, str) or not isinstance(purpose, str | None):
            raise TypeError
        moment = None if expiry is None else datetime.fromisoformat(expiry)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise error(Code.MALFORMED, "an envelope of an unknown form") from None
    if purpose not in purposes:
        raise error(Code.PURPOSE, f"made for {purpose!r}")
    if moment is not None and (now is None or moment.tzinfo is None or now >= moment):
        raise error(Code.EXPIRED, f"expired at {expiry}")
    return decode_base64(payload.encode(), error)


def decode_base64(text: bytes, error: type[WireFormatError]) -> bytes:
    """The bytes of strict base64."""
    try:
        return strict64.decode(text)
    except ValueError:
        raise error(Code.MALFORMED, "no base64") from None


def _signature(key: bytes, text: bytes) -> str:
    return hmac.digest(key, text, "sha1").hex()


def _timestamp(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("an expiry without a time zone")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
