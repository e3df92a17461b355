# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sessions: who is signed in, what is kept; other shapes are nobody's."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railscompat.marshal import AsciiString, Symbol, Value
from railscompat.session import (
    USER_KEY,
    RememberedUser,
    UserKey,
    flash_value,
    flashes_of,
    keys_of,
    remembered,
    user_of,
)

SALT = "$2a$10$7Stqpuiltkp8f/QQ2/eG7e"

anything: st.SearchStrategy[Value] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.binary(), st.text().map(Symbol)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([USER_KEY, "flash", "flashes", "discard", "x"]), inner, max_size=3),
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("salt", [SALT, ""])
def test_who_is_signed_in(salt: str) -> None:
    assert user_of({"session_id": "x", USER_KEY: [[42], salt]}) == UserKey(42, salt)


@pytest.mark.parametrize(
    "session",
    [
        None,
        [],
        {},
        {USER_KEY: None},
        {USER_KEY: [[42]]},
        {USER_KEY: [42, SALT]},
        {USER_KEY: [[], SALT]},
        {USER_KEY: [[1, 2], SALT]},
        {USER_KEY: [[True], SALT]},
        {USER_KEY: [["42"], SALT]},
        {USER_KEY: [[42], None]},
        {Symbol(USER_KEY): [[42], SALT]},
    ],
)
def test_nobody_is_signed_in(session: Value) -> None:
    assert user_of(session) is None


def test_who_is_remembered() -> None:
    value: Value = [[7], "token", AsciiString("1795522031.1391857")]
    moment = datetime(2026, 11, 24, 12, 7, 11, 139186, UTC)
    assert remembered(value) == RememberedUser(7, "token", moment)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [[7], "token"],
        [[7], "token", "tomorrow"],
        [[7], "token", "1e9"],
        [[7], "token", "9" * 400 + ".0"],
        [[7], "token", 1795522031.1],
        [["7"], "token", "1795522031.1"],
        [[True], "token", "1795522031.1"],
        [[7], None, "1795522031.1"],
        [7, "token", "1795522031.1"],
    ],
)
def test_nobody_is_remembered(value: Value) -> None:
    assert remembered(value) is None


def test_what_a_session_holds() -> None:
    assert keys_of({"session_id": 1, AsciiString("_csrf_token"): 2, Symbol("x"): 3}) == {
        "session_id",
        "_csrf_token",
    }
    assert keys_of(None) == frozenset()


def test_messages_are_read_until_they_were_seen() -> None:
    session: Value = {"flash": {"discard": ["error"], "flashes": {"notice": "Hello", "error": "Oh"}}}
    assert flashes_of(session) == {"notice": "Hello"}


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
def test_messages_come_back(flashes: dict[str, Value]) -> None:
    assert flash_value(flashes) == {"discard": [], "flashes": flashes}
    assert flashes_of({"flash": flash_value(flashes)}) == flashes


@given(anything)
def test_any_shape_is_answered(value: Value) -> None:
    assert isinstance(user_of(value), UserKey | None)
    assert isinstance(remembered(value), RememberedUser | None)
    assert isinstance(flashes_of(value), dict)
    assert isinstance(keys_of(value), frozenset)
