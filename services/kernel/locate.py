# SPDX-License-Identifier: AGPL-3.0-or-later
"""How requests name records: by id, or by the key that addresses show (Loomio's extras/model_locator.rb)."""

from __future__ import annotations

from services.kernel.params import Params, ruby_integer, ruby_to_i
from services.kernel.sql import Executor, Values


def named(params: Params, kind: str) -> str | None:
    """What the request calls its record of this `kind` (`discussion_id` before `discussion_key`), if it does."""
    for name in (f"{kind}_id", f"{kind}_key"):
        if (text := params.text(name)) is not None:
            return text
    return None


def is_number(text: str) -> bool:
    """Whether a name is an id, and nothing else."""
    return str(ruby_to_i(text)) == text


async def friendly_id(db: Executor, text: str, by_key: Values[int]) -> int | None:
    """The id that a name stands for, where keys are looked at first; whether there is such a record shows later."""
    if is_number(text):
        return ruby_to_i(text)
    found = await by_key(db, key=text)
    return found[0] if found else ruby_integer(text)


def plain_id(text: str) -> int | None:
    """The id that a name stands for, where only ids count: the number it begins with."""
    return ruby_to_i(text) if text.strip() else None
