# SPDX-License-Identifier: AGPL-3.0-or-later
"""The order of decision, and what a visitor is recognised by."""

from __future__ import annotations

from datetime import timedelta

import pytest

from proxy.routing import Reason, bucket_of
from proxy.routing.lane import Lane
from proxy.routing.visitor import needs_no_cookie
from tests.unit.proxy.routing.tables import NOW, ask, reader, remember_cookie, session_cookie, table_of

OWN = "banyan_bucket=" + "0" * 32
ALL = "groups: {g: {percent: 100, routes: [GET /x, POST /x]}}\n"
HALF = "groups: {g: {percent: 50, routes: [GET /x]}}\n"
GUARDED = """\
defaults:
  keep_on_legacy: {query: [membership_token, "clé"], session: ["pending_*"], headers: [X-Stay]}
groups: {g: {percent: 100, routes: [GET /x, POST /x]}}
"""


def test_what_no_group_claims_stays() -> None:
    table = table_of("groups: {g: {percent: 100, routes: [GET /x]}}\n")
    unknown = ask(table, "/y")
    assert (unknown.side, unknown.reason, unknown.group) == ("legacy", Reason.UNMATCHED, None)


def test_a_whole_group_moves_without_asking_who_comes() -> None:
    found = ask(table_of(ALL), "/x")
    assert (found.side, found.backend, found.reason, found.bucket) == ("python", 1, Reason.SHARE, None)


@pytest.mark.parametrize(
    "name", ["x-http-method-override", "x_http_method_override", "x-http_method-override"]
)
def test_a_post_with_a_method_override_stays(name: str) -> None:
    found = ask(table_of(ALL), "/x", method="POST", headers={name: "DELETE", "content-type": "text/plain"})
    assert (found.side, found.reason) == ("legacy", Reason.METHOD_OVERRIDE)


def test_a_get_cannot_be_overridden() -> None:
    assert ask(table_of(ALL), "/x", headers={"x-http-method-override": "DELETE"}).side == "python"


FORMS = "groups: {g: {percent: 100, routes: [POST /x, POST /y, ANY /z]}, h: {routes: [PATCH /x, DELETE /a/:id]}}\n"


@pytest.mark.parametrize(
    ("content_type", "side"),
    [
        ("application/x-www-form-urlencoded", "legacy"),
        ("Application/X-WWW-Form-Urlencoded; charset=utf-8", "legacy"),
        ("multipart/form-data; boundary=x", "legacy"),
        ("multipart/mixed; boundary=x", "legacy"),
        (None, "legacy"),
        ("", "legacy"),
        ("application/json", "python"),
        ("text/plain", "python"),
    ],
)
def test_a_form_may_hide_its_method_where_the_path_has_others(content_type: str | None, side: str) -> None:
    table = table_of(FORMS)
    headers = {} if content_type is None else {"content-type": content_type}
    found = ask(table, "/x", method="POST", headers=headers)
    assert found.side == side
    assert (found.reason is Reason.FORM_METHOD) == (side == "legacy")
    assert ask(table, "/y", method="POST", headers=headers).side == "python"


def test_a_route_for_all_methods_hides_no_other() -> None:
    assert ask(table_of(FORMS), "/z", method="POST").side == "python"


def test_the_kill_switch_overrides_everything() -> None:
    killed = table_of(
        "pins: [{user: 7, to: python}]\n" + ALL.replace("percent: 100", "percent: 100, kill: true")
    )
    assert ask(killed, "/x", user="7").reason is Reason.KILL
    everything = table_of("kill: true\n" + ALL)
    assert (ask(everything, "/x").side, ask(everything, "/x").reason) == ("legacy", Reason.KILL)


@pytest.mark.parametrize(
    "query",
    [
        "membership_token=1",
        "a=1&membership_token=1",
        "a=1;membership_token",
        "membership%5Ftoken=1",
        "%6Dembership_token=1",
        "+membership_token=1",
        "a%5Bmembership_token%5D=1",
        "a[membership_token]=1",
        "[membership_token]=1",
        "membership_token[]=1",
        "cl%C3%A9=1",
        "cl\u00e9=1",
    ],
)
def test_query_parameters_keep_a_request(query: str) -> None:
    assert ask(table_of(GUARDED), f"/x?{query}").reason is Reason.KEEP_QUERY


@pytest.mark.parametrize(
    "query", ["", "a=membership_token", "membership_tokens=1", "xmembership_token=1", "a=%5F", "a=1"]
)
def test_other_parameters_do_not(query: str) -> None:
    assert ask(table_of(GUARDED), f"/x?{query}").side == "python"


def test_session_keys_keep_a_request() -> None:
    table = table_of(GUARDED)
    assert ask(table, "/x", cookies=session_cookie(1, pending_group="t")).reason is Reason.KEEP_SESSION
    assert ask(table, "/x", cookies=session_cookie(1, other="t")).side == "python"
    assert ask(table, "/x", cookies=session_cookie(None, pending_x="t")).reason is Reason.KEEP_SESSION


@pytest.mark.parametrize("name", ["x-stay", "x_stay"])
def test_headers_keep_a_request(name: str) -> None:
    assert ask(table_of(GUARDED), "/x", headers={name: ""}).reason is Reason.KEEP_HEADER


def test_a_group_may_have_guards_of_its_own() -> None:
    table = table_of(GUARDED.replace("percent: 100,", "percent: 100, keep_on_legacy: {query: [stay]},"))
    assert ask(table, "/x?membership_token=1").side == "python"
    assert ask(table, "/x?stay").reason is Reason.KEEP_QUERY


PINS = """\
pins:
  - {user: 7, to: python}
  - {cookie: 11111111111111111111111111111111, to: other}
  - {api_key: secret, to: python, groups: [g]}
groups: {g: {percent: 0, routes: [GET /x]}, h: {percent: 0, routes: [GET /y]}}
"""


def test_pins_come_before_shares() -> None:
    table = table_of(PINS)
    pinned = ask(table, "/x", cookies=session_cookie(7))
    assert (pinned.side, pinned.reason, pinned.subject_kind) == ("python", Reason.PIN, "user")
    assert ask(table, "/x", cookies=session_cookie(8)).side == "legacy"
    assert ask(table, "/x", cookies="banyan_bucket=" + "1" * 32).side == "other"
    assert ask(table, "/x", cookies=f"{session_cookie(8)}; banyan_bucket={'1' * 32}").side == "other"
    assert ask(table, "/x?api_key=secret").side == "python"
    assert ask(table, "/y?api_key=secret").side == "legacy"


def test_guards_come_before_pins() -> None:
    table = table_of("defaults: {keep_on_legacy: {query: [stay]}}\n" + PINS)
    assert ask(table, "/x?stay=1", user="7").reason is Reason.KEEP_QUERY


def test_a_side_that_is_down_gets_nobody() -> None:
    for text in (ALL, PINS):
        down = ask(table_of(text), "/x", available=(True, False, False), user="7")
        assert (down.side, down.reason) == ("legacy", Reason.UNHEALTHY)
    assert ask(table_of(HALF.replace("50", "0")), "/x", available=(True, False, True)).reason is Reason.SHARE


def test_the_session_user_is_the_subject() -> None:
    by = reader()
    found = ask(table_of(HALF), "/x", cookies=f"a=b; {session_cookie(42)}; {OWN}", by=by)
    assert (found.subject_kind, found.bucket) == ("user", bucket_of(b"s1", b"user:42"))
    again = ask(table_of(HALF), "/x", cookies=session_cookie(42, nonce=9), by=by)
    assert again.bucket == found.bucket
    assert (found.set_cookie, by.undecryptable) == (None, 0)


def test_a_remembered_user_is_the_subject_where_the_session_has_none() -> None:
    table = table_of(HALF)
    remembered = remember_cookie(42, NOW + timedelta(days=1))
    for cookies in (remembered, f"{session_cookie(None)}; {remembered}"):
        assert ask(table, "/x", cookies=cookies).bucket == bucket_of(b"s1", b"user:42")
    assert ask(table, "/x", cookies=f"{session_cookie(1)}; {remembered}").bucket == bucket_of(
        b"s1", b"user:1"
    )
    by = reader()
    assert (
        ask(table, "/x", cookies=remember_cookie(42, NOW - timedelta(days=1)), by=by).subject_kind == "cookie"
    )
    assert by.undecryptable == 1


def test_an_api_key_is_the_subject_where_there_is_no_user() -> None:
    table = table_of(HALF)
    first, again = ask(table, "/x?api_key=k%31"), ask(table, "/x?a=1&api_key=k1", cookies=OWN)
    assert first.subject_kind == again.subject_kind == "key"
    assert first.bucket == again.bucket
    assert first.set_cookie is None
    assert ask(table, "/x?b3_api_key=k1").bucket == first.bucket
    assert ask(table, "/x?api_key=").subject_kind == "cookie"


def test_the_own_cookie_is_the_subject_of_a_visitor() -> None:
    found = ask(table_of(HALF), "/x", cookies=OWN)
    assert (found.subject_kind, found.set_cookie) == ("cookie", None)
    assert found.bucket == bucket_of(b"s1", b"cookie:" + b"0" * 32)


def test_a_new_visitor_gets_a_cookie_that_counts_at_once() -> None:
    table, by = table_of(HALF), reader(randomness=b"\xab")
    first = ask(table, "/x", by=by)
    assert first.set_cookie == b"ab" * 16
    again = ask(table, "/x", cookies=f"banyan_bucket={'ab' * 16}", by=by)
    assert (again.side, again.bucket, again.set_cookie) == (first.side, first.bucket, None)
    assert by.minted == 1


def test_a_new_visitor_gets_it_on_any_first_answer() -> None:
    for percent in (0, 100):
        table = table_of(HALF.replace("50", str(percent)))
        for target in ("/x", "/nowhere"):
            assert ask(table, target).set_cookie is not None
            assert ask(table, target, cookies=OWN).set_cookie is None
            assert ask(table, target, cookies=session_cookie(1)).set_cookie is None
            assert ask(table, f"{target}?api_key=1").set_cookie is None


def test_a_session_is_not_opened_merely_to_hand_out_a_cookie() -> None:
    """Whoever has a session was here before; a decision that opens it anyway sees to a visitor who has no cookie."""
    garbage = "_loomio=x--y--z"
    for percent, opened in ((0, 0), (50, 1), (100, 0)):
        by = reader()
        found = ask(table_of(HALF.replace("50", str(percent))), "/x", cookies=garbage, by=by)
        assert (found.set_cookie is not None, by.undecryptable) == (opened == 1, opened)
    assert ask(table_of(HALF), "/x", cookies=session_cookie(None)).set_cookie is not None


@pytest.mark.parametrize("value", ["", "0" * 31, "0" * 33, "g" * 32, "A" * 32, "0" * 16 + " " * 16])
def test_what_is_no_own_cookie_is_replaced(value: str) -> None:
    assert ask(table_of(HALF), "/x", cookies=f"banyan_bucket={value}").set_cookie is not None


def test_a_websocket_without_cookie_is_drawn_by_address() -> None:
    table, headers = table_of(HALF), {"upgrade": "websocket"}
    found = ask(table, "/x", headers=headers, peer="192.0.2.7")
    assert (found.subject_kind, found.set_cookie) == ("address", None)
    assert found.bucket == bucket_of(b"s1", b"address:192.0.2.7")
    assert ask(table, "/x", headers=headers, cookies=OWN).subject_kind == "cookie"
    assert ask(table, "/nowhere", headers=headers).set_cookie is None


def test_sticky_by_cookie_looks_at_nothing_else() -> None:
    table = table_of(HALF.replace("percent: 50", "percent: 50, sticky: cookie"))
    assert ask(table, "/x", cookies=f"{session_cookie(1)}; {OWN}").subject_kind == "cookie"
    assert ask(table, "/x", cookies=session_cookie(1)).set_cookie is not None
    assert ask(table, "/nowhere", cookies=session_cookie(1)).set_cookie is not None


def test_sticky_by_header() -> None:
    table = table_of(HALF.replace("percent: 50", 'percent: 50, sticky: "header:X-Tenant"'))
    found = ask(table, "/x", headers={"x-tenant": "blue"}, cookies=session_cookie(1))
    assert (found.subject_kind, found.bucket) == ("header", bucket_of(b"s1", b"header:blue"))
    assert ask(table, "/x", peer="192.0.2.7").bucket == bucket_of(b"s1", b"address:192.0.2.7")
    assert ask(table, "/x").set_cookie is None


def test_sticky_by_nothing_draws_every_time() -> None:
    table = table_of(HALF.replace("percent: 50", "percent: 50, sticky: none"))
    sides = [ask(table, "/x", cookies=session_cookie(1)).side for _ in range(200)]
    assert 60 < sides.count("python") < 140
    assert ask(table, "/x", by=reader(randomness=b"\1")).subject_kind == "draw"


def test_without_the_secret_users_are_visitors() -> None:
    found = ask(table_of(HALF), "/x", cookies=session_cookie(1), by=reader(None))
    assert (found.subject_kind, found.set_cookie is not None) == ("cookie", True)


@pytest.mark.parametrize(
    "groups",
    [
        "groups: {g: {percent: 0, routes: [GET /x]}}\n",
        "groups: {g: {percent: 40, kill: true, routes: [GET /x]}}\n",
    ],
)
def test_what_is_settled_is_what_would_be_decided(groups: str) -> None:
    table = table_of(groups)
    for path in (b"/x", b"/nowhere"):
        lane = Lane(table, table.match(b"GET", path) or table.unmatched)
        for cookies in (OWN, session_cookie(1)):
            assert needs_no_cookie(lane, reader(), {b"cookie": cookies.encode()})
            decision, verdict = ask(table, path.decode(), cookies=cookies), lane.settled
            assert verdict is not None
            assert (verdict.side, verdict.backend, verdict.reason) == (
                decision.side,
                decision.backend,
                decision.reason,
            )
            assert (decision.bucket, decision.set_cookie, decision.subject) == (None, None, 0)
    half = table_of(HALF)
    assert Lane(half, half.routes[0]).settled is None
    assert not needs_no_cookie(lane, reader(), {})
    assert not needs_no_cookie(lane, reader(), {b"cookie": b"other=1"})
