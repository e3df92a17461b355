# SPDX-License-Identifier: AGPL-3.0-or-later
"""Marshal: what Ruby wrote, what Ruby would write, and what nobody should be able to send."""

import math
from typing import Any

import pytest
import rubymarshal.reader
import rubymarshal.writer
from hypothesis import given
from hypothesis import strategies as st
from rubymarshal.classes import RubyString
from rubymarshal.classes import Symbol as OracleSymbol

from railscompat.errors import Code
from railscompat.marshal import (
    MAX_BYTES,
    MAX_DEPTH,
    AsciiString,
    MarshalError,
    Symbol,
    UserString,
    Value,
    dump,
    load,
)

# What Ruby 3.1 printed for Marshal.dump of the expression in the comment.
WRITTEN_BY_RUBY: list[tuple[bytes, Value]] = [
    (b"\x04\b0", None),  # nil
    (b"\x04\bT", True),
    (b"\x04\bF", False),
    (b"\x04\bi\x00", 0),
    (b"\x04\bi\x7f", 122),
    (b"\x04\bi\x01{", 123),
    (b"\x04\bi\x01\xff", 255),
    (b"\x04\bi\x02\x00\x01", 256),
    (b"\x04\bi\x03\x00\x00\x01", 65536),
    (b"\x04\bi\x80", -123),
    (b"\x04\bi\xff\x84", -124),
    (b"\x04\bi\xff\x00", -256),
    (b"\x04\bi\xfe\xff\xfe", -257),
    (b"\x04\bi\xfe\x00\x00", -65536),
    (b"\x04\bi\xfd\xff\xff\xfe", -65537),
    (b"\x04\bi\x04\xff\xff\xff?", 2**30 - 1),
    (b"\x04\bi\xfc\x00\x00\x00\xc0", -(2**30)),
    (b"\x04\bl+\x07\x00\x00\x00@", 2**30),
    (b"\x04\bl-\x07\x01\x00\x00@", -(2**30) - 1),
    (b"\x04\bl+\n\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00", 2**64),
    (b"\x04\bf\x061", 1.0),
    (b"\x04\bf\x081.5", 1.5),
    (b"\x04\bf\n-1.25", -1.25),
    (b"\x04\bf\x081e1", 10.0),
    (b"\x04\bf\x081e2", 100.0),
    (b"\x04\bf\n0.001", 0.001),
    (b"\x04\bf\v0.0001", 0.0001),
    (b"\x04\bf\t1e-5", 0.00001),
    (b"\x04\bf\t1e23", 1e23),
    (b"\x04\bf\v5e-324", 5e-324),
    (b"\x04\bf\x11123456789.25", 123456789.25),
    (b"\x04\bf\x060", 0.0),
    (b"\x04\bf\x07-0", -0.0),
    (b"\x04\bf\binf", math.inf),
    (b"\x04\bf\t-inf", -math.inf),
    (b'\x04\bI"\x06a\x06:\x06ET', "a"),
    (b'\x04\bI"\babc\x06:\x06EF', AsciiString("abc")),  # "abc".encode("US-ASCII")
    (b'\x04\b[\a"\a\xc3\xa9"\a\xc3\xa9', ["é".encode(), "é".encode()]),  # ["é".b, "é".b]
    (b"\x04\b:\ba b", Symbol("a b")),
    (b"\x04\bI:\a\xc3\xa9\x06:\x06ET", Symbol("é")),
    (b"\x04\b[\a:\x06a;\x00", [Symbol("a"), Symbol("a")]),
    # class SB < String; end; SB.new("x"), and with @html_safe = true
    (b'\x04\bIC:\aSB"\x06x\x06:\x06ET', UserString("x", "SB")),
    (
        b'\x04\bIC:\aSB"\x06x\a:\x06ET:\x0f@html_safeT',
        UserString("x", "SB", ((Symbol("@html_safe"), True),)),
    ),
    (
        b"\x04\b{\x07:\x14resize_to_limit[\x07i\x02\x00\x05i\x02\x00\x05:\nsaver{\x07:\x0cqualityiZ:\nstripT",
        {
            Symbol("resize_to_limit"): [1280, 1280],
            Symbol("saver"): {Symbol("quality"): 85, Symbol("strip"): True},
        },
    ),
]

# Streams in which something occurs twice; Ruby wrote them all.
WITH_REFERENCES = [
    b"\x04\b[\af\b1.5@\x06",  # [1.5, 1.5]
    b"\x04\b[\al+\b\x00\x00\x00\x00\x00\x01l+\b\x00\x00\x00\x00\x00\x01",  # [2**40, 2**40]
    b"\x04\b[\bf\a-0f\x060@\a",  # [-0.0, 0.0, 0.0]
    b'\x04\b[\a[\x06I"\x06x\x06:\x06ET@\x06',  # a = ["x"]; [a, a]
    b'\x04\b{\x07I"\x08one\x06:\x06ET{\x06@\x06i\x06I"\x08two\x06;\x00T@\x07',
]

REFUSED = [
    (b"", Code.MALFORMED),
    (b"\x04\x07i\x00", Code.MALFORMED),
    (b"\x04\b", Code.MALFORMED),
    (b"\x04\bi", Code.MALFORMED),
    (b"\x04\bi\x00i\x00", Code.MALFORMED),
    (b'\x04\b"\x0aabc', Code.MALFORMED),
    (b"\x04\b[\x04\xff\xff\xff\x7f", Code.MALFORMED),
    (b"\x04\b{\xff\x00", Code.MALFORMED),
    (b"\x04\b@\x06", Code.MALFORMED),
    (b"\x04\bl+\x06\x01", Code.MALFORMED),
    (b'\x04\bI"\x06x\x06TT', Code.MALFORMED),
    (b"\x04\bI:\x06x\x06:\x0dencodingT", Code.UNSUPPORTED),
    (b"\x04\b@\xfa", Code.MALFORMED),
    (b"\x04\b;\x00", Code.MALFORMED),
    (b"\x04\b[\x06;\xfa", Code.MALFORMED),
    (b"\x04\bf\x0a1_000", Code.MALFORMED),
    (b"\x04\bf\x0a 1.5 ", Code.MALFORMED),
    (b"\x04\bl*\x06\x01\x00", Code.MALFORMED),
    (b"\x04\bl+\x02\x01\x01" + bytes(600), Code.TOO_LARGE),
    (b"\x04\b" + b"[\x06" * (MAX_DEPTH + 1) + b"0", Code.TOO_LARGE),
    (b"\x04\b[\x06@\x00", Code.UNSUPPORTED),
    (b"\x04\b{\x06[\x000", Code.UNSUPPORTED),
    (b"\x04\b{\x07i\x060T0", Code.UNSUPPORTED),
    (b"\x04\bo:\x0bObject\x00", Code.UNSUPPORTED),
    (b"\x04\bc\x0bString", Code.UNSUPPORTED),
    (b"\x04\bm\x0bKernel", Code.UNSUPPORTED),
    (b"\x04\bU:\x0dRational[\x07i\x06i\x07", Code.UNSUPPORTED),
    (b"\x04\bIu:\x09Time\x0d\x00\x00\x00\x00\x00\x00\x00\x00\x06:\x09zoneF", Code.UNSUPPORTED),
    (b"\x04\bS:\x06S\x06:\x06ai\x06", Code.UNSUPPORTED),
    (b"\x04\b}\x06i\x06i\x07i\x00", Code.UNSUPPORTED),
    (b"\x04\bI/\x06a\x00\x06:\x06EF", Code.UNSUPPORTED),
    (b'\x04\bC:\x08Foo"\x06a', Code.UNSUPPORTED),
    (b'\x04\bI"\x06x\x06:\x0dencoding"\x0eShift_JIS', Code.UNSUPPORTED),
    (b'\x04\bI"\x06x\x07:\x06ET:\x08@ivT', Code.UNSUPPORTED),
    (b"\x04\b:\x07\xc3\xa9", Code.UNSUPPORTED),
    (b"\x04\bI:\x06\xff\x06:\x06ET", Code.MALFORMED),
]

ENDLESS = [
    b"\x04\b" + b'I"\x06x\x06:\x06a' * 5000 + b"T",
    b"\x04\b" + b"I:\x06x\x06" * 5000 + b"T",
    b"\x04\b" + b"[\x06" * 30_000,
    b"\x04\b" + b"IC" * 30_000,
]

symbols = st.text(min_size=1, max_size=8).filter(
    lambda name: not any(0xD800 <= ord(c) < 0xE000 for c in name)
)
scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**80), max_value=2**80),
    st.floats(allow_nan=False),
    st.text(max_size=150),
    st.binary(max_size=20),
    st.binary(max_size=20).map(lambda data: data.decode("utf-8", "surrogateescape")),
    st.text("abc-_09", max_size=130).map(AsciiString),
    symbols.map(Symbol),
    st.builds(UserString, st.text(max_size=5), st.just("ActiveSupport::SafeBuffer"), us_ascii=st.just(False)),
)
keys = scalars.filter(lambda key: not isinstance(key, (bool, float)))
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(keys, inner, max_size=5)),
    max_leaves=25,
)


def description(value: Any) -> Any:
    """The value with its types, comparable: `repr` tells -0.0 from 0.0, 1 from True and a str from its kin."""
    if isinstance(value, dict):
        return [(description(key), description(element)) for key, element in value.items()]
    if isinstance(value, list):
        return [description(element) for element in value]
    if isinstance(value, UserString):
        return (value.ruby_class, value.us_ascii, value.ivars, str(value))
    return (type(value).__name__, repr(value))


@pytest.mark.parametrize(("stream", "value"), WRITTEN_BY_RUBY)
def test_speaks_as_ruby_does(stream: bytes, value: Value) -> None:
    assert description(load(stream)) == description(value)
    assert dump(value) == stream


def test_not_a_number() -> None:
    value = load(b"\x04\bf\bnan")
    assert isinstance(value, float)
    assert math.isnan(value)
    assert dump(value) == b"\x04\bf\bnan"


@pytest.mark.parametrize("stream", WITH_REFERENCES)
def test_references_survive(stream: bytes) -> None:
    assert dump(load(stream)) == stream


def test_a_reference_is_the_same_object() -> None:
    value: Any = load(b'\x04\b[\a[\x06I"\x06x\x06:\x06ET@\x06')
    assert value == [["x"], ["x"]]
    assert value[0] is value[1]


def test_a_symbol_is_not_its_letters() -> None:
    value = load(b'\x04\b{\x07:\x06ai\x06I"\x06a\x06:\x06ETi\x07')
    assert value == {Symbol("a"): 1, "a": 2}


@given(values)
def test_round_trip(value: Any) -> None:
    stream = dump(value)
    again = load(stream)
    assert description(again) == description(value)
    assert dump(again) == stream


plain: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(min_value=-(2**30), max_value=2**30 - 1),
        st.builds("".join, st.lists(st.characters(exclude_categories=["Cs"]), max_size=140)),
        st.binary(max_size=3).map(bytearray).map(bytes),
        st.text("abcE", min_size=1, max_size=3).map(Symbol),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.text("abcd", max_size=3).map(Symbol), inner, max_size=5),
    ),
    max_leaves=25,
)
"""What both implementations know."""


def to_oracle(value: Any) -> Any:
    match value:
        case Symbol(name):
            return OracleSymbol(name)
        case list():
            return [to_oracle(element) for element in value]
        case dict():
            return {to_oracle(key): to_oracle(element) for key, element in value.items()}
        case _:
            return value


@given(plain)
def test_the_oracle_reads_what_we_write(value: Any) -> None:
    read = rubymarshal.reader.loads(dump(value))
    assert _unmarked(read) == to_oracle(value)


def _unmarked(value: Any) -> Any:
    if isinstance(value, RubyString):
        return value.text
    if isinstance(value, list):
        return [_unmarked(element) for element in value]
    if isinstance(value, dict):
        return {_unmarked(key): _unmarked(element) for key, element in value.items()}
    return value


@given(plain)
def test_we_read_what_the_oracle_writes(value: Any) -> None:
    stream = rubymarshal.writer.writes(to_oracle(value))
    assert load(stream) == value
    assert dump(load(stream)) == stream


@pytest.mark.parametrize(("stream", "code"), REFUSED)
def test_refuses(stream: bytes, code: Code) -> None:
    with pytest.raises(MarshalError) as caught:
        load(stream)
    assert caught.value.code == code


@pytest.mark.parametrize("stream", ENDLESS)
def test_survives_streams_that_never_end(stream: bytes) -> None:
    with pytest.raises(MarshalError):
        load(stream)


def test_refuses_long_streams() -> None:
    with pytest.raises(MarshalError) as caught:
        load(dump("x" * MAX_BYTES))
    assert caught.value.code == Code.TOO_LARGE


def test_depth_is_bounded_alike_both_ways() -> None:
    value: Value = None
    for _ in range(MAX_DEPTH):
        value = [value]
    assert load(dump(value)) == value
    with pytest.raises(MarshalError):
        dump([value])


def test_a_container_that_holds_itself_is_written_but_not_read() -> None:
    value: list[Value] = []
    value.append(value)
    with pytest.raises(MarshalError):
        load(dump(value))


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, (1, 2), 1j, 2**5000, "\ud800", AsciiString("é"), Symbol("\udcff")]
)
def test_refuses_values_without_a_place(value: Any) -> None:
    with pytest.raises(MarshalError):
        dump([value])


def attempt(stream: bytes) -> None:
    try:
        value = load(stream)
    except MarshalError:
        return
    dump(value)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_an_error(data: bytes) -> None:
    attempt(b"\x04\x08" + data)


@given(
    st.lists(st.sampled_from(list(b'0TFilf:;@"[{ICEo\x00\x01\x06\x07\x08\xfa\xff+a')), max_size=80).map(bytes)
)
def test_any_soup_of_type_bytes_is_a_value_or_an_error(data: bytes) -> None:
    attempt(b"\x04\x08" + data)


@given(values, st.data())
def test_any_damage_gives_a_value_or_an_error(value: Any, data: st.DataObject) -> None:
    stream = bytearray(dump(value))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(stream) - 1)) if stream else 0
        stream[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    attempt(bytes(stream))
