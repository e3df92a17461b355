# SPDX-License-Identifier: AGPL-3.0-or-later
"""`$text`: the product's own wording, told only by its length and the data set's texts that it contains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_FILLER = "stand-in words for a sentence that was not recorded, "


def is_text(value: Any) -> bool:
    """Whether a recorded value is a `$text`."""
    return isinstance(value, dict) and len(value) == 1 and "$text" in value


def stand_in(value: Mapping[str, Any]) -> str:
    """A string in place of a recorded `$text`: it holds the texts of `contains` and has the recorded length.

    It is longer only where the texts that it must hold do not fit. Equal recordings give equal strings.
    """
    facts = value["$text"]
    length = facts["length"]
    held = _joined(facts.get("contains", ()), length)
    missing = length - len(held)
    if missing <= 0:
        return held or "-"
    padding = (" " + _FILLER * (missing // len(_FILLER) + 1))[:missing] if held else _filler(missing)
    return held + (padding[:-1] + "." if padding.endswith(" ") else padding)


def holds(value: Mapping[str, Any], actual: Any) -> bool:
    """Whether `actual` is as good as the recorded `$text`: a non-empty string with what it contains."""
    if not isinstance(actual, str) or not actual:
        return False
    wanted = value["$text"].get("contains", ())
    if all(text in actual for text in wanted):
        return True
    # A page may break a text over lines.
    squeezed = " ".join(actual.split())
    return all(" ".join(text.split()) in squeezed for text in wanted)


def fill(value: Any) -> Any:
    """A copy of a JSON value with stand-ins in place of every `$text`. Iterative: any depth is fine."""
    holder: list[Any] = [value]
    pending: list[tuple[Any, Any]] = [(holder, 0)]
    while pending:
        container, place = pending.pop()
        here = container[place]
        if is_text(here):
            container[place] = stand_in(here)
        elif isinstance(here, dict):
            container[place] = copied = dict(here)
            pending += [(copied, key) for key, child in copied.items() if isinstance(child, (dict, list))]
        elif isinstance(here, list):
            container[place] = items = list(here)
            pending += [
                (items, index) for index, child in enumerate(items) if isinstance(child, (dict, list))
            ]
    return holder[0]


def _joined(texts: Sequence[str], length: int) -> str:
    """All of `texts` in one string, in at most `length` characters where that is possible."""
    needed = [text for text in texts if not any(text != other and text in other for other in texts)]
    needed = list(dict.fromkeys(needed))
    spaced = " ".join(needed)
    if len(spaced) <= length:
        return spaced
    # The original had them overlap: begin each text within the end of what is there already.
    woven = ""
    for text in needed:
        if text in woven:
            continue
        overlap = next(size for size in range(len(text), -1, -1) if woven.endswith(text[:size]))
        woven += text[overlap:]
    return woven


def _filler(length: int) -> str:
    return (_FILLER * (length // len(_FILLER) + 1))[:length]
