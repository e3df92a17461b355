# SPDX-License-Identifier: AGPL-3.0-or-later
"""When a write may have come between two reads."""

from __future__ import annotations

import pytest

from proxy.config.written import Repeat
from proxy.experiment.races import Races, Touch, domain_of, records_of
from proxy.routing.table import Route


def touch(domain: str, records: str = "", subject: bytes = b"") -> Touch:
    return Touch(frozenset({domain}), frozenset(records.split()), subject)


def races() -> Races:
    return Races(now=-100.0, keep=60.0)


@pytest.mark.parametrize(
    ("began", "ended", "raced"),
    [
        (5.0, 7.9, False),  # over more than two seconds before
        (5.0, 8.1, True),
        (9.0, 9.1, True),
        (10.5, 10.6, True),  # between the two reads
        (10.9, 99.0, True),  # under way when the second was answered
        (11.1, 11.2, False),  # after it
    ],
)
def test_from_two_seconds_before_the_first_until_the_second_is_answered(
    began: float, ended: float, raced: bool
) -> None:
    known = races()
    known.began((1, 1), began, touch("a", "7", b"user:1"))
    known.ended((1, 1), ended)
    assert known.raced(touch("a", "7", b"user:2"), since=10.0, until=11.0) is raced


def test_a_write_that_has_not_ended_goes_on() -> None:
    known = races()
    known.began((1, 1), 5.0, touch("a", "7"))
    assert known.raced(touch("a", "7"), since=50.0, until=51.0)


@pytest.mark.parametrize(
    ("write", "raced"),
    [
        (touch("a", "7", b"user:2"), True),  # the record
        (touch("a", "8", b"user:1"), True),  # the user
        (touch("a", "8", b"user:2"), False),
        (touch("b", "7", b"user:1"), False),  # another domain
        (touch("a", "", b"user:2"), True),  # who knows which record
        (touch("a", "8", b""), False),
    ],
)
def test_by_domain_and_user_or_record(write: Touch, raced: bool) -> None:
    known = races()
    known.began((1, 1), 10.0, write)
    known.ended((1, 1), 10.1)
    assert known.raced(touch("a", "7", b"user:1"), since=10.5, until=11.0) is raced


def test_what_no_route_matches_may_be_about_anything() -> None:
    known = races()
    unmatched = Touch(domain_of(route("unmatched", "")), frozenset({"x"}), b"user:1")
    known.began((1, 1), 10.0, unmatched)
    assert known.raced(touch("a", "7", b"user:1"), since=10.5, until=11.0)
    assert not known.raced(touch("a", "7", b"user:2"), since=10.5, until=11.0)


def test_strangers_are_not_one_user() -> None:
    known = races()
    known.began((1, 1), 10.0, touch("a", "8", b""))
    assert not known.raced(touch("a", "7", b""), since=10.5, until=11.0)


def test_what_was_not_seen_counts_as_raced() -> None:
    known = Races(now=100.0, keep=60.0)
    assert known.raced(touch("a", "1"), since=101.9, until=103.0)
    assert not known.raced(touch("a", "1"), since=102.1, until=103.0)
    known.lost(200.0, 200.0)
    assert not known.raced(touch("a", "1"), since=198.0, until=199.9)
    assert known.raced(touch("a", "1"), since=199.0, until=200.5)
    assert known.raced(touch("a", "1"), since=201.9, until=203.0)
    assert not known.raced(touch("a", "1"), since=202.1, until=203.0)


def test_forgets_what_cannot_matter_any_more_and_is_bounded() -> None:
    known = races()
    for number in range(120_000):
        known.began((1, number), float(number) / 1e6, touch("a", "1"))
        known.ended((1, number), float(number) / 1e6)
    assert len(known._closed) <= 50_000
    known.began((2, 1), 1000.0, touch("b", "1"))
    known.ended((2, 1), 1000.0)
    assert len(known._closed) == 1


def route(name: str, pattern: str) -> Route:
    return Route(0, name, ("GET",), pattern, None, Repeat.SAFE, False, None)


def test_a_domain_is_a_resource_whatever_the_api() -> None:
    one, two = route("discussions#show", "/x"), route("b2/discussions#create", "/y")
    assert domain_of(one) == domain_of(two)
    assert domain_of(one).isdisjoint(domain_of(route("polls#show", "/z")))


@pytest.mark.parametrize(
    ("pattern", "target", "names"),
    [
        ("/api/v1/discussions/:id(.:format)", b"/api/v1/discussions/aB3x.json?x=1", {"aB3x"}),
        ("/api/v1/events(.:format)", b"/api/v1/events?discussion_id=12&per=50", {"12"}),
        (
            "/api/v1/reactions(.:format)",
            b"/api/v1/reactions?comment_ids=1,2%2C3&poll_ids[]=9",
            {"1", "2", "3", "9"},
        ),
        ("/api/v1/groups(.:format)", b"/api/v1/groups", set()),
    ],
)
def test_the_records_that_an_address_names(pattern: str, target: bytes, names: set[str]) -> None:
    assert records_of(route("a#b", pattern), target) == names
