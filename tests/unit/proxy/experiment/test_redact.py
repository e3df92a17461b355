# SPDX-License-Identifier: AGPL-3.0-or-later
"""No secret and no person survives; what an engineer needs does."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.experiment.outcome import Difference, Finding, Kind
from proxy.experiment.redact import (
    SECRET,
    redact_finding,
    redact_headers,
    redact_pair,
    redact_target,
    redact_value,
)

PLANTED = {
    "cookie": "_loomio=Zm9vYmFy--c2VjcmV0",
    "token": "x7Kq2mPz9LwVt4Rb",
    "password": "hunter2",
    "email": "zoe.planted@example.org",
    "api_key": "b3f1c2d4e5a697881726354433221100",
    "bearer": "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.sig",
    "signed": "https://files.example.org/a.png?X-Amz-Signature=abcdef0123456789",
    "free": "Zoe told me in private that she will leave",
    "name": "Zoe Planted",
}


@pytest.mark.parametrize(
    "where", ["/body/users/*/email", "/body/token", "/body/note", "/body/*", "/body/x/*/label"]
)
@pytest.mark.parametrize("what", sorted(set(PLANTED) - {"password"}))
def test_planted_values_do_not_survive_in_values(where: str, what: str) -> None:
    secret = PLANTED[what]
    for value in (secret, [secret], {"a": {"b": secret}}, {secret: 1}):
        assert secret not in json.dumps(redact_value(where, value), ensure_ascii=False)


@pytest.mark.parametrize(
    "name", ["password", "user_password", "apiKey", "secret_token", "csrfToken", "access_token"]
)
@pytest.mark.parametrize("value", ["hunter2", 123456, ["hunter2"], {"a": "hunter2"}, "open"])
def test_what_is_named_a_secret_is_one_whatever_it_looks_like(name: str, value: Any) -> None:
    for shown in (redact_value(f"/body/{name}", value), redact_value("/body", {name: value})[name]):
        text = json.dumps(shown, ensure_ascii=False)
        assert SECRET in text
        assert not any(told in text for told in ("hunter2", "123456", "open"))


def test_people_are_masked_though_their_names_look_like_labels() -> None:
    shown = redact_value("/body/users/*", {"id": 4, "username": "zoe", "name": "zoe", "state": "open"})
    assert shown["id"] == 4
    assert shown["state"] == "open"
    assert "zoe" not in json.dumps(shown)


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 2.5, "2025-01-31T01:02:03.456Z", "2025-01-31", "time_poll", "", "de-AT"],
)
def test_what_is_no_secret_stays(value: Any) -> None:
    assert redact_value("/body/polls/*/kind", value) == value


def test_numbers_keep_their_digits() -> None:
    assert redact_value("/body/n", Decimal("2.5")) == 2.5
    assert redact_value("/body/n", Decimal("0.10000000000000000001")) == "0.10000000000000000001"
    assert redact_value("/body/n", 10**30) == "1" + "0" * 30


def test_a_difference_of_masked_texts_can_be_seen() -> None:
    one, other = redact_pair("/body/description", "Meet at 10:30 at the mill", "Meet at 11:30 at the mill")
    assert one != other
    assert "differs at 9: 9:99 aa aaa aaaa" in one
    same = redact_value("/body/description", "Meet at 10:30 at the mill")
    assert same == redact_value("/body/description", "Meet at 10:30 at the mill")


def test_targets_can_be_asked_again_without_secrets() -> None:
    target = (
        "/api/v1/discussions/AbC123xy?limit=5&xids=1x2x3&kind=poll&from=2025-01-01&exclude_types=user%20group"
        "&q=who+is+zoe&email=zoe%40example.org&membership_token=abc&user[password]=hunter2&b3_api_key=k1"
    )
    assert redact_target(target) == (
        "/api/v1/discussions/AbC123xy?limit=5&xids=1x2x3&kind=poll&from=2025-01-01&exclude_types=user%20group"
        "&q=REDACTED&email=REDACTED&membership_token=REDACTED&user[password]=REDACTED&b3_api_key=REDACTED"
    )


@pytest.mark.parametrize("secret", sorted(PLANTED.values()))
def test_planted_values_do_not_survive_in_targets(secret: str) -> None:
    from urllib.parse import quote, quote_plus

    for text in {quote(secret, safe=""), quote_plus(secret)}:
        for target in (
            f"/x?token={text}",
            f"/x?password={text}",
            f"/login_tokens/{text}",
            f"/x?q={text}&a=1",
        ):
            shown = redact_target(target)
            assert text not in shown
            assert secret not in shown
    assert "u:p" not in redact_target("http://u:p@host/path")


def test_headers_are_kept_by_list() -> None:
    headers = (
        ("Accept", "application/json"),
        ("Cookie", PLANTED["cookie"]),
        ("Authorization", PLANTED["bearer"]),
        ("X-CSRF-Token", PLANTED["token"]),
        ("X-Own-Secret", PLANTED["password"]),
        ("Referer", "https://a/?token=x"),
        ("User-Agent", "somebody's"),
    )
    assert redact_headers(headers) == (
        ("Accept", "application/json"),
        ("Cookie", "REDACTED"),
        ("Authorization", "REDACTED"),
        ("X-CSRF-Token", "REDACTED"),
    )


def test_addresses_in_answers_lose_their_signatures() -> None:
    shown, _ = redact_pair("/headers/location", "https://u:p@h.example/a/b.png?signature=s3cr3t&page=2", None)
    assert shown == "https://h.example/a/b.png?signature=REDACTED&page=2"


def test_a_sample_is_redacted_as_a_whole() -> None:
    difference = Difference("/body/people/zoe@example.org/name", Kind.VALUE, "Zoe", "Zoë")
    pointer, control, candidate = redact_finding(Finding("f", "/body/people/*/name", difference))
    assert "zoe" not in f"{pointer}{control}{candidate}".lower()
    assert pointer.startswith("/body/people/")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3_000),
    lambda inner: st.lists(inner, max_size=60) | st.dictionaries(st.text(), inner, max_size=60),
    max_leaves=60,
)


@given(VALUES)
def test_what_is_kept_is_small_and_can_be_written(value: Any) -> None:
    text = json.dumps(redact_value("/body/x", value))
    assert len(text) < 60_000


@given(st.text(), st.text())
def test_no_target_makes_it_raise(one: str, other: str) -> None:
    assert len(redact_target(f"{one}?{other}")) <= 2_000


def test_depth_is_no_matter() -> None:
    deep: Any = "x"
    for _ in range(10_000):
        deep = [deep]
    assert len(json.dumps(redact_value("/body", deep))) < 200
