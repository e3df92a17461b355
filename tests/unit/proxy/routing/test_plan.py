# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a change would move, and what is risky about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import WrittenConfig, parse
from proxy.routing.plan import Move, Plan, RiskCode, plan
from tests.unit.proxy.routing.tables import HEAD


def config(text: str, head: str = HEAD) -> WrittenConfig:
    loaded = parse((head + text).encode(), "routing.yaml", {}, Path)
    assert loaded.errors == ()
    assert loaded.config is not None
    return loaded.config


def compare(old: str, new: str, head: str = HEAD) -> Plan:
    return plan(config(old), config(new, head))


def group(percent: float, more: str = "", routes: str = "GET /x") -> str:
    return f"groups: {{g: {{percent: {percent}, {more} routes: [{routes}]}}}}\n"


def risks(found: Plan) -> list[RiskCode]:
    return [risk.code for risk in found.risks]


def users(found: Plan) -> list[tuple[str, str, float]]:
    return [one for move in found.moves for one in move.users]


def test_the_same_file_moves_nobody() -> None:
    assert compare(group(10), group(10)) == Plan((), (), (), ())


def test_a_raised_share_moves_the_difference() -> None:
    found = compare(group(10), group(50))
    assert found.moves == (
        Move("g", "10 % on python", "50 % on python", (("legacy", "python", 40.0),), ("GET /x",)),
    )
    assert found.risks == ()


def test_a_lowered_share_moves_it_back() -> None:
    assert users(compare(group(50), group(10))) == [("python", "legacy", 40.0)]


def test_the_kill_switch_moves_everybody_back() -> None:
    found = compare(group(50), group(50, "kill: true,"))
    assert users(found) == [("python", "legacy", 50.0)]
    assert found.moves[0].after == "killed: all on legacy"
    assert risks(compare(group(50, "kill: true,"), group(50))) == [RiskCode.KILL_RELEASED]


def test_another_target_moves_whoever_was_on_the_first() -> None:
    assert users(compare(group(30), group(40, "to: other,"))) == [
        ("python", "other", 30.0),
        ("legacy", "other", 10.0),
    ]


def test_another_salt_draws_everybody_anew() -> None:
    found = compare(group(10), group(10), HEAD.replace("s1", "s2"))
    assert users(found) == [("python", "legacy", 9.0), ("legacy", "python", 9.0)]
    assert risks(found) == [RiskCode.SALT_CHANGED]


def test_another_stickiness_draws_a_group_anew() -> None:
    found = compare(group(50), group(50, "sticky: cookie,"))
    assert users(found) == [("python", "legacy", 25.0), ("legacy", "python", 25.0)]
    assert risks(found) == [RiskCode.STICKY_CHANGED]


def test_routes_come_go_and_lose_their_group() -> None:
    found = compare(group(50, routes="GET /x, GET /y"), group(50, routes="GET /x, GET /z"))
    assert (found.added, found.removed, found.moves) == (("GET /z",), ("GET /y",), ())


def test_a_route_that_no_group_claims_any_more_goes_back(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nroutes:\n- {method: GET, path: /x, name: a}\n- {method: GET, path: /y, name: b}\n"
    )

    def with_catalogue(text: str) -> WrittenConfig:
        loaded = parse(("catalogue: routes.yaml\n" + HEAD + text).encode(), "x", {}, tmp_path.joinpath)
        assert loaded.config is not None
        return loaded.config

    found = plan(with_catalogue(group(50, routes="a, b")), with_catalogue(group(50, routes="a")))
    assert users(found) == [("python", "legacy", 50.0)]
    assert risks(found) == [RiskCode.ROUTE_UNCLAIMED]


def test_a_large_step_is_remarked() -> None:
    assert risks(compare(group(10), group(100))) == [RiskCode.LARGE_STEP]


def test_lost_guards_are_remarked() -> None:
    guarded = group(10, "keep_on_legacy: {query: [a], session: [b], headers: [C]},")
    found = compare(guarded, group(10, "keep_on_legacy: {query: [a]},"))
    assert risks(found) == [RiskCode.GUARD_REMOVED]
    assert "session key b, header C" in found.risks[0].message


def _two(stage: int, first: float, second: float, more: str = "") -> str:
    return (
        f"{more}groups:\n  one: {{stage: {stage}, percent: {first}, routes: [POST /a]}}\n"
        f"  two: {{stage: {stage}, percent: {second}, routes: [POST /b]}}\n"
    )


@pytest.mark.parametrize(("stage", "expected"), [(8, []), (9, [RiskCode.PARTIAL_ROLLBACK])])
def test_late_stages_go_back_as_a_whole(stage: int, expected: list[RiskCode]) -> None:
    assert risks(compare(_two(stage, 50, 50), _two(stage, 0, 50))) == expected
    assert risks(compare(_two(stage, 50, 50), _two(stage, 0, 0))) == []


def test_neighbours_that_drift_apart_are_remarked() -> None:
    near = "neighbours: {n: [one, two]}\n"
    assert risks(compare(_two(1, 0, 0), _two(1, 50, 0, near))) == [RiskCode.NEIGHBOURS_SPLIT]
    assert risks(compare(_two(1, 50, 0), _two(1, 50, 0, near))) == []
    assert risks(compare(_two(1, 0, 0), _two(1, 50, 50, near))) == []


def test_writes_before_their_reads_are_remarked(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nroutes:\n- {method: GET, path: /t, name: tags#index}\n"
        "- {method: POST, path: /t, name: tags#create, unsafe: writes}\n"
    )

    def shares(reads: float, writes: float) -> WrittenConfig:
        text = f"groups:\n  r: {{percent: {reads}, routes: [tags#index]}}\n"
        text += f"  w: {{percent: {writes}, routes: [tags#create]}}\n"
        loaded = parse(("catalogue: routes.yaml\n" + HEAD + text).encode(), "x", {}, tmp_path.joinpath)
        assert loaded.config is not None
        return loaded.config

    assert risks(plan(shares(0, 0), shares(0, 10))) == [RiskCode.WRITES_BEFORE_READS]
    assert risks(plan(shares(0, 0), shares(10, 10))) == []
    assert risks(plan(shares(0, 10), shares(0, 10))) == []


BUNDLE = """\
bundles: {{b: [one, two, three]}}
groups:
  one: {{percent: {share}, stage: 3, routes: [GET /x]{one}}}
  two: {{percent: {share}, stage: 3, routes: [GET /y]{two}}}
  three: {{percent: {share}, stage: 4, routes: [GET /z]}}
"""


def bundle(share: float = 50, one: str = "", two: str = "") -> str:
    return BUNDLE.format(share=share, one=one, two=two)


@pytest.mark.parametrize("apart", [", kill: true", ", to: other", ", sticky: cookie"])
def test_a_group_that_leaves_its_bundle_is_a_risk_in_any_stage(apart: str) -> None:
    (risk,) = [one for one in compare(bundle(), bundle(one=apart)).risks if one.code is RiskCode.BUNDLE_SPLIT]
    assert risk.group == "one"
    assert "bundle b" in risk.message
    assert "two (50 % on python)" in risk.message
    assert "three (50 % on python)" in risk.message


def test_what_was_apart_before_or_is_on_the_old_side_anyhow_is_none() -> None:
    killed = bundle(one=", kill: true")
    assert RiskCode.BUNDLE_SPLIT not in risks(compare(killed, killed))
    assert RiskCode.BUNDLE_SPLIT not in risks(compare(bundle(10), bundle(50)))
    assert RiskCode.BUNDLE_SPLIT not in risks(compare(bundle(0), bundle(0, one=", kill: true")))


def test_a_bundle_made_of_what_stands_apart_is_a_risk() -> None:
    killed = bundle(one=", kill: true")
    found = compare(killed.partition("\n")[2], killed)
    assert [one.group for one in found.risks if one.code is RiskCode.BUNDLE_SPLIT] == ["one", "two", "three"]
