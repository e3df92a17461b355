# SPDX-License-Identifier: AGPL-3.0-or-later
"""Values that later requests carry from earlier ones: tokens, codes, signed addresses. Pure.

The recording and the run are laid side by side; whatever stands at the same place is the same thing under another name.
A request's value that is marked as noise is then said in the run's own names, whole or piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from contracts.corpus import WriteRequest
from proxy.experiment.diff import tokens

_PIECE = re.compile(r"[A-Za-z0-9_+=-]+")
_SHORTEST = 4
"""Shorter pieces of a text are words, not secrets."""


class Lessons:
    """Recorded value → this run's."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def learn(self, recorded: Any, own: Any) -> None:
        """Take in what stands at the same places of two values."""
        pending = [(recorded, own)]
        while pending:
            one, other = pending.pop()
            if isinstance(one, dict) and isinstance(other, dict):
                pending += [(value, other[name]) for name, value in one.items() if name in other]
            elif isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
                pending += zip(one, other, strict=False)
            elif isinstance(one, (str, int)) and isinstance(other, (str, int)):
                self._learn_text(str(one), str(other))

    def learn_alike(self, recorded: Iterable[str], own: Iterable[str]) -> None:
        """Take in texts that may come in another order: those are alike that differ in their secrets only."""
        shapes: dict[tuple[str, ...], str] = {}
        for text in own:
            shapes.setdefault(_shape(text), text)
        for text in recorded:
            if _shape(text) in shapes:
                self._learn_text(text, shapes[_shape(text)])

    def told(self, value: Any) -> Any:
        """A recorded value in this run's words; None where nothing of it is known."""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return None
        text = str(value)
        if text in self._known:
            known = self._known[text]
            return int(known) if isinstance(value, int) and known.isdigit() else known
        found = [piece for piece in _PIECE.findall(text) if len(piece) >= _SHORTEST and piece in self._known]
        if not found:
            return None
        return _PIECE.sub(lambda piece: self._known.get(piece[0], piece[0]), text)

    def _learn_text(self, recorded: str, own: str) -> None:
        if len(recorded) >= _SHORTEST:
            self._known.setdefault(recorded, own)
        pieces, others = _PIECE.findall(recorded), _PIECE.findall(own)
        if len(pieces) == len(others):
            for piece, other in zip(pieces, others, strict=True):
                if _is_secret(piece):
                    self._known.setdefault(piece, other)


def in_own_words(
    request: WriteRequest, noise: Iterable[str], lessons: Lessons
) -> tuple[WriteRequest, list[str]]:
    """A later request with this run's values, and the pointers (from the request) of those that are not known yet.

    `noise` are the pointers below the request.
    """
    unknown: list[str] = []
    plain: dict[str, Any] = {
        "path": request.path,
        "body": msgspec.json.decode(request.body) if request.body else None,
        "form": dict(request.form) if request.form else None,
        "raw": request.raw,
    }
    for pointer in noise:
        *way, last = tokens(pointer)
        holder: Any = plain
        for token in way:
            holder = holder[int(token)] if isinstance(holder, list) else holder[token]
        known = lessons.told(holder[last])
        if known is None:
            unknown.append(pointer)
        else:
            holder[last] = known
    body = msgspec.Raw(msgspec.json.encode(plain["body"])) if request.body else request.body
    changed = msgspec.structs.replace(
        request, path=plain["path"], body=body, form=plain["form"], raw=plain["raw"]
    )
    return changed, unknown


def _is_secret(piece: str) -> bool:
    return len(piece) >= _SHORTEST and (len(piece) > 16 or any(letter.isdigit() for letter in piece))


def _shape(text: str) -> tuple[str, ...]:
    """A text without its secrets."""
    return tuple(_PIECE.sub(lambda piece: "*" if _is_secret(piece[0]) else piece[0], text).split("/"))
