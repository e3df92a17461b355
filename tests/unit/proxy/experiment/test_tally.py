# SPDX-License-Identifier: AGPL-3.0-or-later
"""Adding up: nothing is lost silently, nothing grows without bound, no secret gets in."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from proxy.experiment.evidence import HOUR, SAMPLES, Dimension, Evidence, Loss, Sample
from proxy.experiment.outcome import Comparison, Kind, Outcome, Severity, Why
from proxy.experiment.store.keep import places
from proxy.experiment.tally import REFRESH, Bounds, Tally, query_names
from tests.evidence import MATCH, NOON, a_finding, a_pair, mismatch, tallied


def test_every_pair_is_counted_by_its_outcome_and_reason() -> None:
    raced = Comparison(Outcome.NOT_COMPARABLE, Why.RACED)
    evidence = Evidence.of(
        tallied((a_pair(), MATCH), (a_pair(), raced), (a_pair(at=NOON + HOUR), mismatch()))
    )
    (endpoint,) = evidence.endpoints
    assert endpoint.outcomes == {
        Outcome.MATCH: 1,
        Outcome.MATCH_AFTER_NORMALIZING: 0,
        Outcome.MISMATCH: 1,
        Outcome.ERROR_ONE_SIDE: 0,
        Outcome.NOT_COMPARABLE: 1,
    }
    assert endpoint.reasons == {Why.RACED: 1}
    assert endpoint.groups == ("tags-reads",)
    assert sorted(count.hour for count in endpoint.counts) == [NOON, NOON, NOON + HOUR]


def test_what_could_not_be_asked_is_counted_too() -> None:
    tally = Tally()
    tally.add_dropped("tags#index", "tags-reads", "legacy", "anonymous", Why.OVERFLOW, NOON)
    (endpoint,) = Evidence.of(tally.take()).endpoints
    assert endpoint.reasons == {Why.OVERFLOW: 1}


def test_what_is_not_comparable_covers_nothing() -> None:
    evidence = Evidence.of(tallied((a_pair(), Comparison(Outcome.NOT_COMPARABLE, Why.TIMEOUT))))
    assert evidence.endpoints[0].coverage == ()


def test_a_finding_is_as_serious_as_it_ever_was() -> None:
    batch = tallied(
        (a_pair(), mismatch(a_finding(severity=Severity.WARN))),
        (a_pair(), mismatch(a_finding(severity=Severity.ERR))),
        (a_pair(), mismatch(a_finding(severity=Severity.INFO))),
    )
    assert [(found.severity, found.times) for found in batch.findings] == [(Severity.ERR, 3)]


def test_samples_stop_at_five_and_begin_again_after_a_while() -> None:
    tally = Tally()
    for second in range(20):
        tally.add(a_pair(at=NOON + second), mismatch())
    assert len(tally.take().findings[0].samples) == SAMPLES
    tally.add(a_pair(at=NOON + 30), mismatch())
    assert tally.take().findings[0].samples == ()
    tally.add(a_pair(at=NOON + 30 + REFRESH), mismatch())
    assert len(tally.take().findings[0].samples) == 1


def test_bounds_hold_and_what_is_beyond_is_told() -> None:
    tally = Tally(Bounds(series=2, findings=3, findings_per_route=2, coverage=4))
    for number in range(5):
        tally.add(a_pair(f"r{number}"), mismatch(*(a_finding(f"/{number}/{field}") for field in range(3))))
    batch = tally.take()
    assert len(batch.counts) == 2
    assert len(batch.findings) == 3
    assert len(batch.coverage) == 4
    lost = {what: sum(one.times for one in batch.lost if one.what is what) for what in Loss}
    assert lost == {Loss.COMPARISONS: 3, Loss.FINDINGS: 12, Loss.COVERAGE: 16}
    assert tally.take().empty


def test_batches_have_names_of_their_own() -> None:
    tally = Tally()
    assert tally.take().id != tally.take().id


def test_names_of_parameters_are_kept_and_no_values() -> None:
    assert query_names("/x?b=2&a=1&a=3&ids%5B%5D=5&page[size]=3") == "a&b&ids[]&page[size]"
    assert query_names("/x") == ""
    assert query_names("/x?4f9c0aa1b2c3d4=1&ada@example.org") == "(other)"
    assert (
        query_names("/x?" + "&".join(f"{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(300)))
        == "(other)"
    )


@given(st.text(max_size=200))
def test_any_target_has_names_of_bounded_length(target: str) -> None:
    assert len(query_names(f"/x?{target}")) <= 20 * 41


SECRETS = (
    "s3cr3t-cookie-value",
    "hunter2pass",
    "ada@example.org",
    "ak_live_51H8xYz0123456789",
    "eyJhbGciOiJIUzI1NiJ9.e30.x",
)


def test_no_planted_secret_gets_into_a_batch() -> None:
    cookie, password, mail, key, jwt = SECRETS
    pair = a_pair(
        target=f"/api/v1/users?api_key={key}&q={mail}&unsubscribe_token={jwt}&{mail}=1",
        headers=(
            ("Cookie", f"_loomio_session={cookie}"),
            ("Authorization", f"Bearer {jwt}"),
            ("X-Api-Key", key),
            ("Referer", f"https://x/?token={jwt}"),
        ),
    )
    findings = [
        a_finding("/body/users/*/email", mail, f"other-{mail}"),
        a_finding("/body/password", password, None),
        a_finding(f"/body/{mail}/name", mail, 1, fingerprint="f1"),
        a_finding(
            "/body/users", [{"email": mail, "api_key": key}], {"token": jwt, "deep": [{"secret": password}]}
        ),
        a_finding("/cookies/_loomio_session/value", cookie, jwt),
        a_finding("/headers/location", f"https://x/join?token={jwt}", f"https://{mail}/"),
    ]
    written = msgspec.json.encode(tallied((pair, mismatch(*findings)))).decode()
    assert [secret for secret in SECRETS if secret in written] == []


def sample(at: float) -> Sample:
    return Sample(at, "r", "GET", "/", (), "anonymous", "/body")


def test_free_places_are_filled_first_and_then_the_oldest_gives_way() -> None:
    assert {place: one.at for place, one in places({}, [sample(2), sample(1)]).items()} == {0: 1, 1: 2}
    assert {place: one.at for place, one in places({0: 1.0, 2: 5.0}, [sample(9)]).items()} == {1: 9}
    full = dict.fromkeys(range(SAMPLES), 7.0) | {3: 2.0}
    assert {place: one.at for place, one in places(full, [sample(8), sample(9)]).items()} == {3: 9}
    assert places(full, [sample(1)]) == {}


def test_evidence_is_ordered_by_weight() -> None:
    batch = tallied(
        *[(a_pair("b#x"), mismatch(a_finding("/rare"))) for _ in range(1)],
        *[(a_pair("b#x"), mismatch(a_finding("/often"))) for _ in range(4)],
        *[
            (a_pair("b#x"), mismatch(a_finding("/warned", severity=Severity.WARN, kind=Kind.TYPE)))
            for _ in range(9)
        ],
        (a_pair("a#x"), MATCH),
    )
    evidence = Evidence.of(batch)
    assert [endpoint.route for endpoint in evidence.endpoints] == ["a#x", "b#x"]
    assert [found.field for found in evidence.endpoints[1].findings] == ["/often", "/rare", "/warned"]
    assert [endpoint.route for endpoint in evidence.only("a#*").endpoints] == ["a#x"]
    assert evidence.endpoints[0].seen(Dimension.ROLE) == {"signed_in": 1}
