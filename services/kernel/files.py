# SPDX-License-Identifier: AGPL-3.0-or-later
"""Addresses of stored files, letter for letter as ActiveStorage makes them."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from functools import lru_cache

from railscompat.marshal import Symbol, Value
from railscompat.signed_ids import SignedIds

VARIABLE_TYPES = frozenset(
    f"image/{kind}"
    for kind in (
        "png",
        "gif",
        "jpeg",
        "tiff",
        "bmp",
        "vnd.adobe.photoshop",
        "vnd.microsoft.icon",
        "webp",
        "avif",
    )
) | {"image/heic", "image/heif"}
"""Types that Rails makes smaller images of (`active_storage.variable_content_types`)."""

WEB_EXTENSIONS = {"image/png": ("png",), "image/jpeg": ("jpeg", "jpg", "jpe"), "image/gif": ("gif",)}
"""Types that keep their format, with their extensions; all others become PNG."""

_UNSAFE_IN_NAMES = str.maketrans(dict.fromkeys('\u202e%$|:;/<>?*"\t\r\n\\', "-"))
_SAFE_IN_PATHS = "!$&'()*+,;=:@/-._~"


@dataclass(frozen=True, slots=True)
class Blob:
    """One row of `active_storage_blobs`, as far as its address needs it."""

    id: int
    filename: str
    content_type: str | None


class StoredFiles:
    """Makes addresses with the application's secret."""

    def __init__(self, secret_key_base: str) -> None:
        """Derives the key."""
        self._signed = SignedIds(secret_key_base)
        self._variation = lru_cache(maxsize=256)(self._make_variation)

    def image(self, blob: Blob, width: int, height: int | None = None, quality: int = 80) -> str | None:
        """Where `blob` is served as an image of at most so many pixels (as high as wide unless `height` says
        otherwise); None for what is no image.
        """
        if blob.content_type not in VARIABLE_TYPES:
            return None
        variation = self._variation(image_format(blob), width, height or width, quality)
        name = urllib.parse.quote(blob.filename.strip().translate(_UNSAFE_IN_NAMES), safe=_SAFE_IN_PATHS)
        signed = self._signed.blob_id(blob.id)
        return f"/rails/active_storage/representations/redirect/{signed}/{variation}/{name}"

    def _make_variation(self, form: str, width: int, height: int, quality: int) -> str:
        saver: dict[Value, Value] = {Symbol("quality"): quality, Symbol("strip"): True}
        return self._signed.variation(
            {Symbol("format"): form, Symbol("resize_to_limit"): [width, height], Symbol("saver"): saver}
        )


def image_format(blob: Blob) -> str:
    """The format of images made of `blob`: as its name spells it where that fits its type, else the type's own."""
    extensions = WEB_EXTENSIONS.get(blob.content_type or "")
    if extensions is None:
        return "png"
    _, dot, extension = blob.filename.rpartition(".")
    return extension if dot and extension.lower() in extensions else extensions[0]
