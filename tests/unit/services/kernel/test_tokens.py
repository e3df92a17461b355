# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is made of chance."""

from __future__ import annotations

import random
import re
import uuid
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.tokens import base58, below, friendly, random_uuid, record_key, sign_in_code


def drawn(seed: int) -> random.Random:
    """Chance that repeats itself."""
    return random.Random(seed)


@given(st.integers(1, 1 << 40), st.integers())
def test_a_number_is_below_its_bound(bound: int, seed: int) -> None:
    assert 0 <= below(drawn(seed).randbytes, bound) < bound


def test_all_numbers_are_as_likely() -> None:
    chance = drawn(1).randbytes
    counts = Counter(below(chance, 6) for _ in range(6000))
    assert sorted(counts) == list(range(6))
    assert all(850 < count < 1150 for count in counts.values())


def test_bytes_are_drawn_until_they_are_below() -> None:
    draws = iter([b"\xff", b"\xf0", b"\xa0"])
    assert below(lambda _: next(draws), 11) == 10


@given(st.integers())
def test_texts_have_the_form_that_rails_gives_them(seed: int) -> None:
    chance = drawn(seed).randbytes
    assert re.fullmatch(r"[1-9A-HJ-NP-Za-km-z]{24}", base58(chance))
    assert re.fullmatch(r"[\w-]{20}", friendly(chance))
    assert not set("lIO0") & set(friendly(chance))
    assert 100_000 <= sign_in_code(chance) <= 999_999
    key = record_key(chance)
    assert re.fullmatch(r"[A-Za-z0-9]{8}", key)
    assert len(set(key)) == 8
    assert uuid.UUID(random_uuid(chance)).version == 4


def test_the_same_chance_makes_the_same_texts() -> None:
    assert base58(drawn(3).randbytes) == base58(drawn(3).randbytes) != base58(drawn(4).randbytes)
