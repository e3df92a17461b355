# SPDX-License-Identifier: AGPL-3.0-or-later
"""`$xml`: a tree of `[tag, attributes, text, [children]]`, tags in `{namespace}name` form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree


def render(body: Mapping[str, Any]) -> str:
    """The recorded tree as a document with declaration."""
    root: ElementTree.Element | None = None
    pending: list[tuple[ElementTree.Element | None, list[Any]]] = [(None, body["$xml"])]
    while pending:
        parent, (tag, attributes, text, children) = pending.pop()
        if parent is None:
            root = element = ElementTree.Element(tag, attributes)
        else:
            element = ElementTree.SubElement(parent, tag, attributes)
        element.text = text or None
        # Taken from the end: the first child is next, and siblings are appended in order.
        pending += [(element, child) for child in reversed(children)]
    assert root is not None  # noqa: S101  (the loop runs at least once)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def read(content: str) -> list[Any]:
    """The tree of a document. Raises ValueError."""
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML: {error}") from error
    tree: list[Any] = []
    pending = [(root, tree)]
    while pending:
        element, siblings = pending.pop()
        children: list[Any] = []
        siblings.append([element.tag, dict(element.attrib), (element.text or "").strip(), children])
        pending += [(child, children) for child in reversed(element)]
    result: list[Any] = tree[0]
    return result
