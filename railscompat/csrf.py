# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rails' authenticity tokens.

A session holds 32 random bytes, the real token. What is sent out is derived from it and masked anew each
time, so that no two answers carry the same letters:

    global      HMAC-SHA256(real, "!real_csrf_token")     the page's meta element, Loomio's csrftoken cookie
    per form    HMAC-SHA256(real, "path#method")          a form's hidden field
    masked      pad ‖ (pad XOR token), base64url without padding

Accepted are a masked global, per-form or (as older pages have it) real token, and the bare real token.
"""

import hmac

from railscompat import strict64
from railscompat.marshal import AsciiString

TOKEN_BYTES = 32


def session_token(random: bytes) -> AsciiString:
    """A new session's `_csrf_token`, from 32 random bytes."""
    _check_length(random)
    return AsciiString(_encode(random))


def real_token(session_token: str) -> bytes | None:
    """The bytes of a session's `_csrf_token`; None where there is no usable one."""
    token = _decode(session_token)
    return token if token is not None and len(token) == TOKEN_BYTES else None


def global_token(real: bytes) -> bytes:
    """The token that is good for every request of the session."""
    return hmac.digest(real, b"!real_csrf_token", "sha256")


def per_form_token(real: bytes, path: str, method: str) -> bytes:
    """The token that is good for one path (without query) and method. One slash at the end makes no
    difference.
    """
    return hmac.digest(real, f"{path.removesuffix('/')}#{method.lower()}".encode(), "sha256")


def mask(token: bytes, pad: bytes) -> str:
    """`token` as it is sent; `pad` is 32 bytes, random and never used before."""
    _check_length(token)
    _check_length(pad)
    return _encode(pad + _xor(pad, token))


def verify(real: bytes, submitted: str, *, path: str, method: str) -> bool:
    """Whether `submitted` is a token that this session gave out for this request, compared in constant
    time.
    """
    sent = _decode(submitted)
    if sent is None:
        return False
    if len(sent) == TOKEN_BYTES:
        return hmac.compare_digest(sent, real)
    if len(sent) != 2 * TOKEN_BYTES:
        return False
    token = _xor(sent[:TOKEN_BYTES], sent[TOKEN_BYTES:])
    accepted = (global_token(real), real, per_form_token(real, path, method))
    return any(hmac.compare_digest(token, good) for good in accepted)


def _encode(data: bytes) -> str:
    return strict64.encode(data).rstrip("=").translate(_TO_URL)


def _decode(text: str) -> bytes | None:
    """Base64 in either alphabet, padded or not, as Ruby's `urlsafe_decode64` takes it."""
    if not text.isascii():
        return None
    data = text.encode().translate(_FROM_URL)
    if not data.endswith(b"="):
        data += b"=" * (-len(data) % 4)
    try:
        return strict64.decode(data)
    except ValueError:
        return None


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _check_length(data: bytes) -> None:
    if len(data) != TOKEN_BYTES:
        raise ValueError(f"{TOKEN_BYTES} bytes are needed, not {len(data)}")


_TO_URL = str.maketrans("+/", "-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
