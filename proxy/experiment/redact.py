# SPDX-License-Identifier: AGPL-3.0-or-later
"""What of a pair may be kept: enough for an engineer to see the difference, nothing of a person and no secret. Pure.

In clear: numbers, booleans, null, timestamps, dates, UUIDs and labels that a program chose (`time_poll`). Masked: every
other text, as `⟨text, 23 characters, #3fa2⟩`. The digest after `#` tells equal from different and is too short to tell
more; two masked texts say where they begin to differ and what it looks like there, letters as `a`, digits as `9`. What
a name marks as a secret (`token`, `password` …) is `⟨secret⟩`, whatever its value looks like. Names decide before
values: a label under `username` is a person.

Headers and query values are kept by list, never by exception. Everything is bounded in size.
"""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

from proxy.experiment.diff import escaped, tokens
from proxy.experiment.observation import Headers
from proxy.experiment.outcome import Finding
from proxy.experiment.values import ValueClass, classify

REDACTED = "REDACTED"
"""Stands for a masked value where `⟨…⟩` may not: in a target, in a header."""

SECRET = "⟨secret⟩"  # noqa: S105 - what is written instead of one

_SECRET_NAME = re.compile(
    r"pass(?:word|wd|phrase)?|pwd|secrets?|tokens?|api_?key|apikey|auth|authorization|credentials?|cookies?|session|"
    r"csrf|xsrf|signature|sig|signed|hmac|otp|pin|nonce|private|access_?key|code|jwt|bearer|salt|digest|encrypted|hash|key",
    re.IGNORECASE,
)
_PLAIN_NAMES = frozenset(
    (
        # Words of it look like a secret, and it is none.
        "position_key",
        "order_key",
        "event_key",
        "country_code",
        "language_code",
        "status_code",
        "session_count",
        "private",
        "is_private",
        "discussion_privacy_options",
    )
)
_PERSON_NAME = re.compile(
    r"name|names|first|last|full|user|username|login|nick|nickname|handle|display|email|emails|mail|mailer|phone|mobile|"
    r"fax|bio|address|street|city|region|location|zip|postcode|title|titles|subject|description|body|text|content|"
    r"reason|statement|message|comment|note|notes|q|query|search|filename|author|actor|initials|birthday|ip",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Za-z][a-z]*|[A-Z]+(?![a-z])")

_CLEAR = frozenset(
    (
        ValueClass.NULL,
        ValueClass.BOOLEAN,
        ValueClass.NUMBER,
        ValueClass.TIMESTAMP,
        ValueClass.DATE,
        ValueClass.UUID,
        ValueClass.LABEL,
        ValueClass.EMPTY,
    )
)
_CLEAR_IN_PERSONAL = frozenset((ValueClass.NULL, ValueClass.BOOLEAN, ValueClass.EMPTY))
_CLASS_NAMES = frozenset(("type", "kind", "exception", "model", "status", "root"))
_CLASS_NAME = re.compile(r"[A-Z][A-Za-z]{1,40}(?:::[A-Z][A-Za-z]{1,40}){0,4}")

_CLEAR_HEADERS = frozenset(
    (
        "accept",
        "accept-encoding",
        "accept-language",
        "content-type",
        "content-length",
        "x-requested-with",
        "range",
    )
)
_KNOWN_SECRET_HEADERS = frozenset(
    ("authorization", "cookie", "proxy-authorization", "x-api-key", "x-csrf-token", "x-xsrf-token")
)
_HEADER_TEXTS = frozenset(
    (
        "/headers/access-control-allow-credentials",
        "/headers/access-control-allow-headers",
        "/headers/access-control-allow-methods",
        "/headers/allow",
        "/headers/cache-control",
        "/headers/content-language",
        "/headers/content-range",
        "/headers/content-type",
        "/headers/referrer-policy",
        "/headers/retry-after",
        "/headers/x-frame-options",
    )
)
_HEADER_ADDRESSES = frozenset(("/headers/location", "/headers/access-control-allow-origin"))

_IDS = re.compile(r"[-+]?\d{1,18}(?:[x,_. -]\d{1,18}){0,200}", re.ASCII)
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,40}(?:\[[A-Za-z_-]{0,40}\]){0,4}")
_TOKEN_FOLLOWS = re.compile(r"join|password|confirmation|unlock|session|key", re.IGNORECASE)
_ONLY_TOKENS_FOLLOW = re.compile(r"(?:.*_)?(?:tokens?|invitations?)", re.IGNORECASE)
_NAMED_LISTS = frozenset(("exclude_types", "kind", "kinds", "order", "order_by", "types"))
_LABELS = re.compile(r"[a-z_]{1,40}(?:[ ,][a-z_]{1,40}){0,20}")

_MOST_TARGET = 2_000
_MOST_HEADER = 200
_MOST_MEMBERS = 30
_MOST_ELEMENTS = 5
_DEEPEST = 4
_MOST_VALUES = 200
_SHOWN = 16


def redact_target(target: str) -> str:
    """Path and query without what is secret or personal. Ids, short keys and labels stay: it can be asked again."""
    path, mark, query = target.partition("?")
    _, _, path = path.rpartition("://")
    if "@" in path.partition("/")[0]:
        path = path.partition("@")[2]
    shown = "/".join(_segments(path.split("/")))
    if mark:
        shown += "?" + "&".join(map(_parameter, query.split("&", _MOST_VALUES)[:_MOST_VALUES]))
    return shown[:_MOST_TARGET]


def redact_headers(headers: Headers) -> Headers:
    """The headers that a repeated request needs. Those that prove who is asking are named, without their values."""
    kept = []
    for name, value in headers:
        lower = name.lower()
        if lower in _KNOWN_SECRET_HEADERS:
            kept.append((name, REDACTED))
        elif lower in _CLEAR_HEADERS:
            kept.append((name, value[:_MOST_HEADER]))
    return tuple(kept)


def redact_value(field: str, value: Any) -> Any:
    """A value at a field as it may be kept: JSON, of bounded size."""
    return _Redactor().value(_marks_of(field), value, 0)


def redact_pair(field: str, control: Any, candidate: Any) -> tuple[Any, Any]:
    """Both values of a difference; masked texts tell where they begin to differ."""
    one, other = redact_value(field, control), redact_value(field, candidate)
    if not (_is_masked(one, control) and _is_masked(other, candidate)) or SECRET in (one, other):
        return one, other
    at = _first_difference(control, candidate)
    return _telling(one, control, at), _telling(other, candidate, at)


def redact_finding(finding: Finding) -> tuple[str, Any, Any]:
    """Pointer and both values of a finding's sample."""
    control, candidate = redact_pair(finding.field, finding.difference.control, finding.difference.candidate)
    return redact_pointer(finding.difference.pointer), control, candidate


def redact_pointer(pointer: str) -> str:
    """A pointer whose data keys are masked; names and places stay."""
    return "".join(f"/{escaped(_key(token))}" for token in tokens(pointer))


class _Marks:
    """What the name of a value says about it."""

    __slots__ = ("address", "clear", "name", "personal", "secret")

    def __init__(self, name: str = "", *, secret: bool = False, personal: bool = False) -> None:
        self.name = name
        self.secret = secret
        self.personal = personal
        self.clear = False
        self.address = False

    def below(self, name: str) -> _Marks:
        """The marks of a member: a secret's parts are secret, a person's parts are judged by their own names."""
        return _Marks(name, secret=self.secret or _is_secret_name(name), personal=_is_personal_name(name))


def _marks_of(field: str) -> _Marks:
    marks = _Marks()
    for name in tokens(field):
        if name != "*":
            marks = marks.below(name)
    marks.clear = field in _HEADER_TEXTS
    marks.address = field in _HEADER_ADDRESSES
    return marks


def _is_secret_name(name: str) -> bool:
    if name.lower() in _PLAIN_NAMES:
        return False
    return any(_SECRET_NAME.fullmatch(word) for word in _WORDS.findall(name)) or bool(
        re.search(r"api_?key|access_?key|secret|password|token", name, re.IGNORECASE)
    )


def _is_personal_name(name: str) -> bool:
    return any(_PERSON_NAME.fullmatch(word) for word in _WORDS.findall(name))


class _Redactor:
    """Redacts one value; counts what it kept, so that a whole record stays small."""

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def value(self, marks: _Marks, value: Any, depth: int) -> Any:
        self._left -= 1
        if isinstance(value, dict):
            return self._object(marks, value, depth)
        if isinstance(value, list | tuple):
            return self._array(marks, value, depth)
        return _scalar(marks, value)

    def _object(self, marks: _Marks, value: dict[str, Any], depth: int) -> Any:
        if depth >= _DEEPEST or self._left <= 0:
            return f"⟨object, {len(value)} members⟩"
        shown: dict[str, Any] = {}
        for name, inner in value.items():
            if len(shown) >= _MOST_MEMBERS or self._left <= 0:
                shown["…"] = f"{len(value) - len(shown)} more"
                break
            shown[_key(str(name))] = self.value(marks.below(str(name)), inner, depth + 1)
        return shown

    def _array(self, marks: _Marks, value: list[Any] | tuple[Any, ...], depth: int) -> Any:
        if depth >= _DEEPEST or self._left <= 0:
            return f"⟨array, {len(value)} elements⟩"
        # An order is told by its ids: of numbers and labels more are shown.
        most = 50 if all(isinstance(one, int | str) for one in value[:50]) else _MOST_ELEMENTS
        shown = [self.value(marks, inner, depth + 1) for inner in value[:most]]
        return shown if len(value) <= most else [*shown, f"… {len(value) - most} more"]


def _scalar(marks: _Marks, value: Any) -> Any:
    kind = classify(value)
    if marks.secret:
        return value if kind in _CLEAR_IN_PERSONAL else SECRET
    if marks.address and isinstance(value, str):
        return _address(value)
    if marks.personal:
        return value if kind in _CLEAR_IN_PERSONAL else _masked(kind, value)
    if kind is ValueClass.NUMBER:
        return _number(value)
    if kind in _CLEAR or (marks.clear and isinstance(value, str) and len(value) <= _MOST_HEADER):
        return value
    if isinstance(value, str) and _is_class_name(marks.name, value):
        return value
    return _masked(kind, value)


def _number(value: Any) -> Any:
    """Numbers as JSON has them; one that a float cannot hold as text, so that no digit is lost."""
    if isinstance(value, Decimal):
        if Decimal(repr(float(value))) == value:
            return float(value)
        return str(value)[:60]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)[:60] if value.bit_length() < 10_000 else f"⟨number, {value.bit_length()} bits⟩"
    return value


def _is_class_name(name: str, value: str) -> bool:
    """Whether it names a class or the like under a name that says so: `eventable_type: Discussion`."""
    return name.rpartition("_")[2] in _CLASS_NAMES and bool(_CLASS_NAME.fullmatch(value))


def _masked(kind: ValueClass, value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    if kind in (ValueClass.TOKEN, ValueClass.SIGNED_URL, ValueClass.DIGEST):
        return f"⟨{kind}, {len(text)} characters⟩"
    return f"⟨{kind}, {len(text)} characters, #{_digest(text)}⟩"


def _digest(text: str) -> str:
    """Sixteen bits: they tell two texts apart and are of no use for finding one."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=2).hexdigest()


def _is_masked(shown: Any, value: Any) -> bool:
    return isinstance(value, str) and isinstance(shown, str) and shown.startswith("⟨") and shown != value


def _telling(shown: str, text: str, at: int) -> str:
    piece = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", text[at : at + _SHOWN]))
    return f"{shown[:-1]}, differs at {at}: {piece or 'the end'}⟩"


def _first_difference(one: str, other: str) -> int:
    shorter = min(len(one), len(other))
    return next((index for index in range(shorter) if one[index] != other[index]), shorter)


def _segments(segments: list[str]) -> list[str]:
    shown = []
    before = ""
    for segment in segments:
        text = unquote_plus(segment)
        kind = classify(text)
        opaque = (
            kind in (ValueClass.TOKEN, ValueClass.DIGEST, ValueClass.UUID, ValueClass.EMAIL) or "@" in text
        )
        is_secret = (opaque and (len(text) >= 16 or "@" in text)) or len(text) > 60
        is_secret |= opaque and bool(_TOKEN_FOLLOWS.search(before))
        is_secret |= bool(_ONLY_TOKENS_FOLLOW.fullmatch(before)) and not text.isdigit()
        if text and is_secret:
            shown.append(REDACTED)
        else:
            shown.append(segment)
        before = text
    return shown


def _parameter(part: str) -> str:
    name, equals, value = part.partition("=")
    plain_name = unquote_plus(name)
    drawn = len(plain_name) >= 12 and classify(plain_name) is ValueClass.TOKEN
    if drawn or not _PARAMETER.fullmatch(plain_name):
        return REDACTED
    if not equals:
        return name
    text = unquote_plus(value)
    if plain_name in _NAMED_LISTS and _LABELS.fullmatch(text):
        return part
    is_secret, is_personal = _is_secret_name(plain_name), _is_personal_name(plain_name)
    if not is_secret and not is_personal and (classify(text) in _CLEAR or _IDS.fullmatch(text)):
        return part
    return f"{name}={REDACTED if text else ''}"


def _address(text: str) -> str:
    scheme, mark, rest = text.partition("://")
    if not mark:
        return redact_target(text)
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{redact_target(slash + path)}"[:_MOST_TARGET]


def _key(token: str) -> str:
    """A key of an object: names stay, ids too, what may be somebody's does not."""
    if re.fullmatch(r"[A-Za-z_$-][A-Za-z0-9_$.:-]{0,60}|[-+]?\d{0,18}|[-*]", token) and not (
        classify(token) in (ValueClass.TOKEN, ValueClass.DIGEST) and len(token) >= 16
    ):
        return token
    return f"⟨key, {len(token)} characters⟩"
