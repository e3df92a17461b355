# SPDX-License-Identifier: AGPL-3.0-or-later
"""`$html`: the facts of a page, and a plain page that has them.

Facts: `title`, `lang`, `meta` (pairs of property or name and content), `canonical`, `headings` (h1 to h6),
`links` (each address once, in order), `forms` (`action`, `method`, `fields` as `[tag, type, name, value]`)
and `cells` (of tables). Texts are stripped at both ends; empty parts are left out. What changes with
each answer (tokens against forgery) is no fact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from html.parser import HTMLParser
from typing import Any

_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_CELLS = frozenset(("td", "th"))
_FIELDS = frozenset(("input", "select", "option", "textarea", "button"))
_SILENT = frozenset(("script", "style", "template", "noscript"))
_FORGERY = frozenset(("authenticity_token", "utf8", "csrf-token", "csrf-param"))


def render(body: Mapping[str, Any]) -> str:
    """A page with the recorded facts, in recorded order."""
    facts = body["$html"]
    head = [
        f'<meta property="{_attribute(name)}" content="{_attribute(content)}">'
        for name, content in facts.get("meta", ())
    ]
    if "canonical" in facts:
        head.append(f'<link rel="canonical" href="{_attribute(facts["canonical"])}">')
    if "title" in facts:
        head.append(f"<title>{escape(facts['title'])}</title>")
    main = [f"<h2>{escape(text)}</h2>" for text in facts.get("headings", ())]
    main += [f'<p><a href="{_attribute(address)}">link</a></p>' for address in facts.get("links", ())]
    for form in facts.get("forms", ()):
        main.append(f"<form{_attributes(action=form.get('action'), method=form.get('method'))}>")
        main += _fields(form["fields"])
        main.append("</form>")
    if "cells" in facts:
        cells = (f"<tr><td>{escape(text)}</td></tr>" for text in facts["cells"])
        main += ["<table>", *cells, "</table>"]
    opening = f"<html{_attributes(lang=facts.get('lang'))}>"
    return "\n".join(
        ["<!DOCTYPE html>", opening, "<head>", *head, "</head>", "<body>", *main, "</body>", "</html>", ""]
    )


def read(content: str) -> dict[str, Any]:
    """The facts of a page. Any text is a page to a browser; one without facts gives few."""
    reader = _Reader()
    reader.feed(content)
    reader.close()
    return reader.facts()


def _fields(fields: Iterable[list[str | None]]) -> Iterable[str]:
    in_select = False
    for tag, kind, name, value in fields:
        if in_select and tag != "option":
            yield "</select>"
            in_select = False
        if tag == "option":
            yield f"<option{_attributes(value=value)}{' selected' if kind == 'selected' else ''}></option>"
        else:
            yield f"<{tag}{_attributes(type=kind, name=name, value=value)}>" + (
                "" if tag in ("input", "select") else f"</{tag}>"
            )
            in_select = tag == "select"
    if in_select:
        yield "</select>"


def _attributes(**attributes: str | None) -> str:
    return "".join(
        f' {name}="{_attribute(value)}"' for name, value in attributes.items() if value is not None
    )


def _attribute(value: str) -> str:
    return escape(value, quote=True)


class _Reader(HTMLParser):
    """Collects the facts of one page while it is parsed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._title: list[str] | None = None
        self._lang: str | None = None
        self._canonical: str | None = None
        self._meta: list[list[str]] = []
        self._links: dict[str, None] = {}
        self._forms: list[dict[str, Any]] = []
        self._headings: list[list[str]] = []
        self._cells: list[list[str]] = []
        self._open: list[tuple[str, list[str]]] = []
        self._silent = 0
        self._in_form = False

    def facts(self) -> dict[str, Any]:
        """What was found, empty parts left out."""
        found = {
            "title": _stripped(self._title or []),
            "lang": self._lang,
            "meta": self._meta,
            "canonical": self._canonical,
            "headings": [_stripped(text) for text in self._headings],
            "links": list(self._links),
            "forms": self._forms,
            "cells": [_stripped(text) for text in self._cells],
        }
        return {name: fact for name, fact in found.items() if fact}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes what an element tells by its attributes, and begins to collect its text."""
        attributes = {name: value if value is not None else "" for name, value in reversed(attrs)}
        if tag in _SILENT:
            self._silent += 1
        elif tag in _HEADINGS:
            self._begin(tag, self._headings)
        elif tag in _CELLS:
            self._end_cell()
            self._begin(tag, self._cells)
        elif tag == "title" and self._title is None:
            self._title = []
            self._open.append((tag, self._title))
        elif tag == "form":
            self._in_form = True
            self._forms.append(
                {"action": attributes.get("action"), "method": attributes.get("method"), "fields": []}
            )
        elif tag in _FIELDS:
            self._field(tag, attributes)
        else:
            self._element(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        """Ends the collection of an element's text."""
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "form":
            self._in_form = False
        elif tag in ("tr", "table"):
            self._end_cell()
        else:
            for index in range(len(self._open) - 1, -1, -1):
                if self._open[index][0] == tag:
                    del self._open[index:]
                    break

    def handle_data(self, data: str) -> None:
        """Gives text to every element that is being collected."""
        if not self._silent:
            for _, text in self._open:
                text.append(data)

    def _element(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "html" and self._lang is None:
            self._lang = attributes.get("lang")
        elif tag == "a" and attributes.get("href"):
            self._links.setdefault(attributes["href"])
        elif tag == "meta":
            name = attributes.get("property") or attributes.get("name")
            if name and name not in _FORGERY and "content" in attributes:
                self._meta.append([name, attributes["content"]])
        elif tag == "link" and attributes.get("rel") == "canonical":
            self._canonical = attributes.get("href")

    def _field(self, tag: str, attributes: dict[str, str]) -> None:
        name = attributes.get("name")
        if not self._in_form or name in _FORGERY:
            return
        kind = attributes.get("type")
        if tag == "option":
            kind = "selected" if "selected" in attributes else None
        self._forms[-1]["fields"].append([tag, kind, name, attributes.get("value")])

    def _begin(self, tag: str, kept: list[list[str]]) -> None:
        text: list[str] = []
        kept.append(text)
        self._open.append((tag, text))

    def _end_cell(self) -> None:
        if self._open and self._open[-1][0] in _CELLS:
            self._open.pop()


def _stripped(pieces: list[str]) -> str:
    return "".join(pieces).strip()
