# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pages that tell somebody who followed a link what went wrong.

Loomio answers its client's start page here, with another status. What a page says of itself is the same; the client
does not start.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from services.kernel.errors import PageError
    from services.kernel.http import Context

Kind = TypeVar("Kind", bound="PageError")


def page_error(kind: type[Kind], context: Context, sentence: str, cause: str = "") -> Kind:
    """An error of this kind, to be raised, with its page."""
    return kind(sentence, render(context, kind.status.phrase, sentence), cause)


def render(context: Context, title: str, sentence: str) -> bytes:
    """A page of one sentence."""
    site = context.settings.site
    canonical = f"https://{site.origin.partition('://')[2]}{context.request.rel_url.raw_path}"
    metas = (
        ("og:title", title),
        ("og:description", sentence),
        ("og:site_name", site.name),
        ("og:type", "website"),
    )
    head = "".join(f'<meta property="{name}" content="{escape(text)}">' for name, text in metas)
    return (
        f'<!DOCTYPE html><html lang="{escape(context.locale)}"><head><title>{escape(title)}</title>'
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1.0">'
        f'{head}<link rel="canonical" href="{escape(canonical)}"></head>'
        f"<body><p>{escape(sentence)}</p></body></html>"
    ).encode()
