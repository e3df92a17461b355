# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rails' encrypted and signed cookies.

    encrypted (the session)     percent(base64(ciphertext)--base64(nonce)--base64(tag)), AES-256-GCM
    signed (remember-me)        percent(base64(message)--hex(HMAC-SHA1)); see `messages`

Inside is Marshal, in an envelope only where the cookie expires or is bound to its name. A cookie is
accepted when it was made for this name (purpose `cookie.NAME`) or for no purpose, as Rails does. Values are
those of the `Cookie` and `Set-Cookie` headers: percent-encoded, and only in Rails' way of it.

Keys are derived when an object is made; make one and keep it. Rails writes the session anew, with a fresh
nonce, on nearly every answer: two values for one session differ, so a raw value identifies nothing.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from railscompat import marshal, messages, strict64
from railscompat.errors import Code, CookieError, MarshalError
from railscompat.keys import (
    CIPHER_KEY_LENGTH,
    ENCRYPTED_COOKIE_SALT,
    SIGNED_COOKIE_SALT,
    SIGNING_KEY_LENGTH,
    derive_key,
)
from railscompat.marshal import Value

MAX_COOKIE_BYTES: Final = 4096
"""Name and value together, before percent-encoding. Rails raises beyond it; browsers drop such a cookie."""

NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16


def value_in(header: bytes, wanted: bytes) -> bytes | None:
    """The value of the first cookie `wanted` (its name and `=`) in a raw Cookie header, as Rack finds it; None without.

    Source: Rack::Utils.parse_cookies_header (pairs are separated by `;` and spaces, the first of a name counts).
    """
    at = header.find(wanted)
    while at > 0 and header[at - 2 : at] != b"; ":
        before = header[:at].rstrip(b" ")
        if not before or before.endswith(b";"):
            break
        at = header.find(wanted, at + 1)
    if at < 0:
        return None
    end = header.find(b";", at)
    return header[at + len(wanted) : end] if end >= 0 else header[at + len(wanted) :]


def unseal(value: bytes | str) -> tuple[bytes, bytes]:
    """An encrypted cookie's (nonce, ciphertext with its tag). Raises CookieError."""
    parts = _unescape(value).split(b"--")
    if len(parts) != 3:
        raise CookieError(Code.MALFORMED, "not in three parts")
    ciphertext, nonce, tag = (messages.decode_base64(part, CookieError) for part in parts)
    if len(nonce) != NONCE_BYTES or len(tag) != _TAG_BYTES:
        raise CookieError(Code.MALFORMED, "nonce or tag of another length")
    return nonce, ciphertext + tag


class EncryptedCookies:
    """Reads and writes the cookies of Rails' encrypted jar, the session among them."""

    def __init__(
        self, secret_key_base: str, unseal: Callable[[bytes | str], tuple[bytes, bytes]] = unseal
    ) -> None:
        """`unseal` may be another that does the same, faster."""
        self._cipher = AESGCM(derive_key(secret_key_base, ENCRYPTED_COOKIE_SALT, CIPHER_KEY_LENGTH))
        self._unseal = unseal

    def decrypt(self, name: str, value: bytes | str, *, now: datetime | None = None) -> Value:
        """What is in the cookie `name`. Raises CookieError for anything Rails would take for no cookie.

        Sessions do not expire by themselves; a cookie that does needs `now`.
        """
        return _load(self.decrypt_payload(name, value, now=now))

    def decrypt_payload(self, name: str, value: bytes | str, *, now: datetime | None = None) -> bytes:
        """The Marshal dump in the cookie `name`, not loaded yet. Raises CookieError."""
        nonce, sealed = self._unseal(value)
        try:
            plain = self._cipher.decrypt(nonce, sealed, None)
        except InvalidTag:
            raise CookieError(Code.TAMPERED, "not encrypted with this secret") from None
        return _payload(name, plain, now) if plain.startswith(messages.ENVELOPE) else plain

    def encrypt(self, name: str, value: Value, *, nonce: bytes) -> str:
        """The cookie's value as the `Set-Cookie` header carries it.

        `nonce` is 12 random bytes and never the same for two values. Raises CookieError where Rails would
        raise CookieOverflow, and for values that Marshal cannot hold.
        """
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
        sealed = self._cipher.encrypt(nonce, _dump(value), None)
        parts = (sealed[:-_TAG_BYTES], nonce, sealed[-_TAG_BYTES:])
        return _escape(name, "--".join(map(strict64.encode, parts)))


class SignedCookies:
    """Reads and writes the cookies of Rails' signed jar: legible to anyone, made by nobody else."""

    def __init__(self, secret_key_base: str) -> None:
        self._key = derive_key(secret_key_base, SIGNED_COOKIE_SALT, SIGNING_KEY_LENGTH)

    def verify(self, name: str, value: bytes | str, *, now: datetime) -> Value:
        """What is in the cookie `name`. Raises CookieError for anything Rails would take for no cookie."""
        return _load(_payload(name, messages.verify(self._key, _unescape(value), CookieError), now))

    def sign(self, name: str, value: Value, *, expires_at: datetime | None) -> str:
        """The cookie's value as the `Set-Cookie` header carries it. `expires_at` is signed with it."""
        message = messages.wrap(_dump(value), expires_at=expires_at, purpose=None)
        return _escape(name, messages.sign(self._key, message))


def _payload(name: str, message: bytes, now: datetime | None) -> bytes:
    return messages.unwrap(message, purposes=(f"cookie.{name}", None), now=now, error=CookieError)


def _load(payload: bytes) -> Value:
    try:
        return marshal.load(payload)
    except MarshalError as error:
        raise CookieError(error.code, str(error)) from error


def _dump(value: Value) -> bytes:
    try:
        return marshal.dump(value)
    except MarshalError as error:
        raise CookieError(error.code, str(error)) from error


def _unescape(value: bytes | str) -> bytes:
    """The value without percent-encoding.

    Rack takes a bare plus for a space, so a value with one is no cookie of ours. Only three of base64's
    letters are ever escaped; replacing those three takes half the time of decoding whatever could be there.
    """
    try:
        raw = value if isinstance(value, bytes) else value.encode("ascii")
    except UnicodeEncodeError:
        raise CookieError(Code.MALFORMED, "letters beyond ASCII") from None
    if len(raw) > 3 * MAX_COOKIE_BYTES:
        raise CookieError(Code.TOO_LARGE, f"{len(raw)} bytes")
    if b"+" in raw:
        raise CookieError(Code.MALFORMED, "a plus sign that is not escaped")
    if b"%" in raw:
        raw = raw.replace(b"%2B", b"+").replace(b"%2F", b"/").replace(b"%3D", b"=")
        if b"%" in raw:
            raw = unquote_to_bytes(raw)
    if len(raw) > MAX_COOKIE_BYTES:
        raise CookieError(Code.TOO_LARGE, f"{len(raw)} bytes are more than {MAX_COOKIE_BYTES}")
    return raw


def _escape(name: str, value: str) -> str:
    size = len(name.encode()) + len(value)
    if size > MAX_COOKIE_BYTES:
        raise CookieError(
            Code.TOO_LARGE, f"{name} and its value have {size} bytes, more than {MAX_COOKIE_BYTES}"
        )
    return value.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
