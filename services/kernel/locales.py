# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which language an answer is in.

`locales.json` holds the languages Loomio 3.0.17 supports (its config/locales.yml). The rules, with their
quirks, are those of its helpers/locales_helper.rb.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

DEFAULT = "en"


class _Locales(msgspec.Struct, frozen=True):
    supported: frozenset[str]
    fallbacks: dict[str, str]


_LOCALES = msgspec.json.decode(Path(__file__).with_name("locales.json").read_bytes(), type=_Locales)


def normalize(locale: str) -> str:
    """`pt-br` → `pt_BR`; whatever follows the dialect is dropped."""
    language, _, rest = locale.replace("-", "_", 1).partition("_")
    dialect = rest.partition("_")[0]
    return f"{language.lower()}_{dialect.upper()}" if dialect else language.lower()


def first_supported(wanted: Iterable[str | None]) -> str:
    """The first that is supported, itself, without its dialect or by its fallback; else English."""
    for locale in wanted:
        if not locale:
            continue
        language = locale.partition("_")[0]
        fallback = _LOCALES.fallbacks.get(locale) or _LOCALES.fallbacks.get(language)
        for version in (normalize(locale), language, fallback):
            if version in _LOCALES.supported:
                return str(version)
    return DEFAULT


def accepted(header: str | None) -> list[str]:
    """The languages of an `Accept-Language` header, best first, normalized."""
    weighed: list[tuple[float, str]] = []
    for part in (header or "").split(","):
        name, _, parameters = part.strip().partition(";")
        quality = 1.0
        if parameters.strip().startswith("q="):
            try:
                quality = float(parameters.strip()[2:])
            except ValueError:
                quality = 0.0
        if name.strip() and name.strip() != "*":
            weighed.append((quality, normalize(name.strip())))
    return [name for _, name in sorted(weighed, key=lambda one: -one[0])]


def preferred(asked: str | None, selected: str | None, header: str | None, detected: str | None) -> str:
    """The language of an answer: what the request asks for (supported or not, even if empty), what the person
    chose, what the browser prefers, what it preferred before.
    """
    if asked is not None:
        return normalize(asked)
    return first_supported([selected, *accepted(header), detected])
