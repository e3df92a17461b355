# SPDX-License-Identifier: AGPL-3.0-or-later
"""The signed texts in ActiveStorage's addresses.

    purpose      payload                                          where, and how long
    blob_id      id                                               …/blobs/SIGNED/name, for ever
    variation    transformations                                  …/representations/BLOB/SIGNED/name, for ever
    blob_key     {key, disposition, content_type, service_name}   …/disk/SIGNED/name, five minutes
    blob_token   {key, content_type, content_length, checksum,    …/disk/SIGNED as the target of a direct
                  service_name}                                   upload, five minutes

They are made byte for byte as Rails makes them, so that an address is the same whoever wrote it, and caches
and clients need not care. For that, strings must have Rails' encoding: what was read from the database is
UTF-8 (a str), a key that Rails made up in the same request is US-ASCII (an `AsciiString`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from railscompat import marshal, messages, strict64
from railscompat.errors import Code, MarshalError, SignedIdError
from railscompat.keys import ACTIVE_STORAGE_SALT, SIGNING_KEY_LENGTH, derive_key
from railscompat.marshal import Symbol, Value

BLOB_ID = "blob_id"
VARIATION = "variation"
BLOB_KEY = "blob_key"
BLOB_TOKEN = "blob_token"  # noqa: S105 - the name of a purpose, not a secret

Transformations = Mapping[Symbol, Value]
"""How an image is to be changed, in order: `{Symbol("resize_to_limit"): [1280, 1280], …}`."""


@dataclass(frozen=True, slots=True)
class BlobKey:
    """One stored file and how it is to be delivered."""

    key: str
    disposition: str
    content_type: str
    service_name: str


class SignedIds:
    """Makes and reads ActiveStorage's signed texts. They go into a path as they are: no letter needs
    escaping.
    """

    def __init__(self, secret_key_base: str) -> None:
        self._key = derive_key(secret_key_base, ACTIVE_STORAGE_SALT, SIGNING_KEY_LENGTH)

    def sign(self, value: Value, purpose: str, *, expires_at: datetime | None = None) -> str:
        """The signed text of any payload. Raises MarshalError for values that Marshal cannot hold."""
        message = messages.wrap(marshal.dump(value), expires_at=expires_at, purpose=purpose)
        return messages.sign(self._key, message)

    def verify(self, signed: str, purpose: str, *, now: datetime) -> Value:
        """The payload of a text signed for `purpose`, unless it expired. Raises SignedIdError."""
        if not signed.isascii():
            raise SignedIdError(Code.MALFORMED, "letters beyond ASCII")
        message = messages.verify(self._key, signed.encode(), SignedIdError)
        payload = messages.unwrap(message, purposes=(purpose,), now=now, error=SignedIdError)
        try:
            return marshal.load(payload)
        except MarshalError as error:
            raise SignedIdError(error.code, str(error)) from error

    def blob_id(self, number: int) -> str:
        """The signed id of the blob with this number, which never expires."""
        return self.sign(number, BLOB_ID)

    def read_blob_id(self, signed: str, *, now: datetime) -> int:
        """The number of the blob. Raises SignedIdError."""
        match self.verify(signed, BLOB_ID, now=now):
            case int(number) if not isinstance(number, bool):
                return number
        raise SignedIdError(Code.MALFORMED, "no id")

    def variation(self, transformations: Transformations) -> str:
        """The key of a variation, which never expires."""
        return self.sign(dict(transformations), VARIATION)

    def read_variation(self, signed: str, *, now: datetime) -> dict[Symbol, Value]:
        """The transformations of a variation. Raises SignedIdError."""
        match self.verify(signed, VARIATION, now=now):
            case dict(transformations) if all(isinstance(name, Symbol) for name in transformations):
                return transformations
        raise SignedIdError(Code.MALFORMED, "no transformations")

    def blob_key(self, blob: BlobKey, *, expires_at: datetime) -> str:
        """The signed address of a file in a disk service."""
        payload: dict[Symbol, Value] = {
            Symbol("key"): blob.key,
            Symbol("disposition"): blob.disposition,
            Symbol("content_type"): blob.content_type,
            Symbol("service_name"): Symbol(blob.service_name),
        }
        return self.sign(payload, BLOB_KEY, expires_at=expires_at)

    def read_blob_key(self, signed: str, *, now: datetime) -> BlobKey:
        """The file of a signed address. Raises SignedIdError."""
        payload = self.verify(signed, BLOB_KEY, now=now)
        if isinstance(payload, dict):
            names = ("key", "disposition", "content_type", "service_name")
            match [payload.get(Symbol(name)) for name in names]:
                case [str(key), str(disposition), str(content_type), Symbol(service_name)]:
                    return BlobKey(key, disposition, content_type, service_name)
        raise SignedIdError(Code.MALFORMED, "no blob key")


def variation_digest(transformations: Transformations) -> str:
    """The name under which a made variant is recorded (`variation_digest`); the order of the keys matters."""
    digest = hashlib.sha1(marshal.dump(dict(transformations)), usedforsecurity=False).digest()
    return strict64.encode(digest)
