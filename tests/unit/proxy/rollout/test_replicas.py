# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several edges on one store, on a virtual clock: they agree, they lower without asking, they never raise alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.rollout.commands import RefusedError, Verb
from proxy.rollout.evidence import Comparisons, Proof
from proxy.rollout.phases import IllegalTransitionError, Phase
from proxy.rollout.ports import Entry, UnavailableError
from proxy.rollout.shift import Answer
from tests.unit.proxy.rollout.replicas import POLICY, World, unit


async def test_a_good_rollout_climbs_on_all_edges_and_is_in_the_journal() -> None:
    world = World()
    await world.ramp_to(100)
    raises = [entry for entry in world.journal.entries if entry.share_to > entry.share_from]
    assert [(entry.share_from, entry.share_to, entry.by) for entry in raises] == [
        (0, 1, "gates"),
        (1, 10, "gates"),
        (10, 50, "gates"),
        (50, 100, "gates"),
    ]
    assert all(entry.evidence and entry.build == "b1" for entry in raises)
    await world.pass_by(100)
    assert {edge.states["u"].phase for edge in world.edges.values()} == {Phase.FULL}
    assert sum(edge.leads for edge in world.edges.values()) == 1


async def test_nothing_rises_without_the_journal_and_falls_all_the_same() -> None:
    world = World()
    await world.ramp_to(1)
    world.journal.away = True
    await world.pass_by(300)
    assert world.percents() == {1}
    (leader,) = [edge for edge in world.edges.values() if edge.leads]
    assert leader.decisions["u"].waits_for == "journal"
    await world.edges["b"].command(Verb.KILL, "u", by="kim")
    await world.pass_by(1)
    assert world.percents() == {0}
    world.journal.away = False
    await world.pass_by(2)
    assert world.journal.entries[-1].event == "kill", "the line is written when the journal is back"


async def test_a_dead_leader_is_followed_within_five_seconds() -> None:
    world = World()
    await world.ramp_to(1)
    (leader,) = [name for name, edge in world.edges.items() if edge.leads]
    world.kill(leader)
    await world.pass_by(4)
    assert sum(edge.leads for edge in world.edges.values()) == 1
    await world.until_share(10)


async def test_with_the_store_away_nothing_rises_and_it_is_said() -> None:
    world = World()
    await world.ramp_to(10)
    world.store.away = True
    await world.pass_by(600)
    assert world.percents() == {10}
    assert all("away" in edge.problem and not edge.leads for edge in world.edges.values())
    with pytest.raises(UnavailableError):
        await world.edges["a"].command(Verb.PAUSE, "u", by="kim")
    world.store.away = False
    await world.until_share(50)


async def test_an_edge_lowers_what_it_sees_broken_with_everything_away() -> None:
    world = World()
    await world.ramp_to(50)
    world.store.away = world.journal.away = True
    world.serve(broken=True)
    world.edges["b"].guard()
    assert world.shares["b"]["u"].percent == 0
    assert world.shares["a"]["u"].percent == 50
    world.serve()
    world.store.away = world.journal.away = False
    await world.pass_by(2)
    assert world.percents() == {0}
    assert {edge.states["u"].phase for edge in world.edges.values()} == {Phase.ROLLED_BACK}
    assert "burst" in world.journal.entries[-1].reason


async def test_what_was_lowered_stays_low_while_the_store_takes_it() -> None:
    world = World(edges=("a",))
    await world.ramp_to(50)
    world.serve(broken=True)
    await world.pass_by(1)
    assert world.percents() == {0}
    assert [entry.event for entry in world.journal.entries].count("fail") == 1
    assert not world.edges["a"].pending

    world = World(edges=("a",))
    await world.ramp_to(50)
    done = await world.edges["a"].command(Verb.KILL, "u", by="kim")
    assert (done.after.phase, done.pending) == (Phase.KILLED, False)
    assert world.percents() == {0}, "no tick has to pass"


async def test_a_kill_holds_on_each_edge_at_once_with_everything_away() -> None:
    world = World()
    await world.ramp_to(50)
    world.store.away = world.journal.away = True
    for edge in world.edges.values():
        done = await edge.command(Verb.KILL, "u", by="kim")
        assert done.pending
    assert world.percents() == {0}
    world.store.away = world.journal.away = False
    await world.pass_by(3)
    assert {edge.states["u"].phase for edge in world.edges.values()} == {Phase.KILLED}
    assert not any(edge.pending for edge in world.edges.values())
    await world.edges["c"].command(Verb.UNKILL, "u", by="kim")
    await world.pass_by(300)
    assert world.percents() == {0}, "who was killed starts anew, by a person"


async def test_replicas_follow_a_push_without_a_tick() -> None:
    world = World()
    await world.ramp_to(10)
    following = [asyncio.create_task(edge.follow()) for edge in world.edges.values()]
    await asyncio.sleep(0)
    await world.edges["a"].command(Verb.KILL, "u", by="kim")
    async with asyncio.timeout(5):
        while world.percents() != {0}:
            await asyncio.sleep(0)
    for task in following:
        task.cancel()


async def test_an_empty_store_is_filled_with_the_lowest_of_journal_and_replicas(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    await world.ramp_to(50)
    world.store.away = True
    await world.edges["b"].command(Verb.BACK, "u", by="kim", percent=10)
    world.store.clear()
    world.store.away = False
    await world.pass_by(1)
    assert all("empty" in edge.problem for edge in world.edges.values())
    await world.pass_by(3)
    assert world.percents() == {10}


async def test_a_restart_without_the_store_takes_the_file_else_legacy(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    await world.ramp_to(10)
    world.store.away = True
    world.start("b")
    assert world.shares["b"]["u"].percent == 10
    (tmp_path / "b.state").write_text("{")
    world.start("b")
    assert world.shares["b"]["u"].percent == 0
    await world.pass_by(100)
    assert world.shares["b"]["u"].percent == 0
    world.store.away = False
    await world.pass_by(2)
    assert world.percents() in ({10}, {50}), "it has what the others have"


async def test_an_edge_that_joins_takes_what_is_agreed() -> None:
    world = World()
    await world.ramp_to(50)
    world.start("d")
    assert world.shares["d"]["u"].percent == 0, "not known yet: careful"
    await world.pass_by(1)
    assert world.shares["d"]["u"].percent == 50


async def test_one_edge_alone_needs_neither_redis_nor_postgresql(tmp_path: Path) -> None:
    world = World(edges=["a"], folder=tmp_path)
    await world.ramp_to(10)
    world.store.clear()  # its memory goes with the process
    world.start("a")
    await world.pass_by(2)
    assert world.percents() == {10}


async def test_traffic_of_all_edges_counts() -> None:
    world = World()
    world.serve()
    await world.pass_by(4)
    await world.edges["a"].command(Verb.START, "u", by="kim")
    await world.until_share(1)
    await world.pass_by(1)
    (one,) = await world.edges["c"].evidence(world.units["u"])
    assert one.traffic.new.requests == 30_000


async def test_from_stage_nine_on_a_stage_goes_back_as_a_whole() -> None:
    world = World(unit("u", stage=9), unit("v", stage=9), unit("w", stage=8))
    for name in world.units:
        await world.ramp_to(1, name)
    await world.edges["a"].command(Verb.BACK, "u", by="kim")
    await world.pass_by(1)
    assert (world.percents("u"), world.percents("v")) == ({0}, {0})
    assert world.percents("w") != {0}
    assert "stage 9 goes back as a whole" in world.edges["c"].states["v"].reason


async def test_hooks_are_told_of_rollbacks_kills_and_confirm_gates() -> None:
    world = World(unit(policy=replace(POLICY, confirm=frozenset({10.0}))))
    await world.ramp_to(1)
    await world.pass_by(200)
    assert [notice.kind for notice in world.told] == ["confirm"]
    await world.edges["b"].command(Verb.CONFIRM, "u", by="kim")
    await world.until_share(10)
    world.serve(errors=500)
    await world.pass_by(3)
    await world.edges["a"].command(Verb.KILL, "u", by="kim")
    assert [(notice.kind, notice.share_to) for notice in world.told] == [
        ("confirm", 1),
        ("rollback", 1),
        ("rollback", 0),
        ("kill", 0),
    ]


async def test_commands_that_make_no_sense_are_refused() -> None:
    world = World(unit(), unit("by-hand", policy=None, percent=10))
    await world.pass_by(4)
    edge = world.edges["a"]
    for verb in (Verb.CONFIRM, Verb.BACK):
        with pytest.raises(RefusedError):
            await edge.command(verb, "u", by="kim")
    with pytest.raises(IllegalTransitionError):
        await edge.command(Verb.UNKILL, "u", by="kim")
    with pytest.raises(RefusedError, match="has no ramp"):
        await edge.command(Verb.START, "by-hand", by="kim")
    with pytest.raises(RefusedError, match="no group or bundle"):
        await edge.command(Verb.KILL, "nobody", by="kim")


async def test_a_group_without_a_ramp_can_be_killed_and_given_back() -> None:
    world = World(unit("by-hand", policy=None, percent=10))
    await world.pass_by(4)
    assert world.percents("by-hand") == {10}
    edge = world.edges["a"]
    await edge.command(Verb.KILL, "by-hand", by="kim")
    await world.pass_by(1)
    assert world.percents("by-hand") == {0}
    await edge.command(Verb.UNKILL, "by-hand", by="kim")
    await edge.command(Verb.START, "by-hand", by="kim")
    await world.pass_by(1)
    assert world.percents("by-hand") == {10}, "the file's share is in effect again"


async def test_a_dry_run_changes_nothing() -> None:
    world = World()
    await world.ramp_to(10)
    before = len(world.journal.entries)
    done = await world.edges["a"].command(Verb.KILL, "u", by="kim", dry_run=True)
    assert (done.dry_run, done.after.share) == (True, 0)
    await world.pass_by(1)
    assert world.percents() == {10}
    assert len(world.journal.entries) == before


async def test_a_freeze_holds_for_all() -> None:
    world = World()
    await world.ramp_to(1)
    await world.edges["b"].freeze(True, by="kim")
    await world.pass_by(500)
    assert world.percents() == {1}
    await world.edges["c"].freeze(False, by="kim")
    await world.until_share(10)


@pytest.mark.parametrize(
    ("seen", "percent", "answer"),
    [
        (Comparisons(100_000, 2), 1, Answer.YES),
        (Comparisons(100_000, 2, open_errors=3), 1, Answer.NO),
        (Comparisons(100_000, 900), 1, Answer.NO),
        (Comparisons(100, 0), 1, Answer.NOT_ENOUGH),
        (Comparisons(100_000, 2), 50, Answer.NO),
        (Comparisons(0, 0), 0, Answer.YES),
    ],
)
async def test_can_i_shift(seen: Comparisons, percent: float, answer: Answer) -> None:
    world = World(edges=["a"])
    world.seen = seen
    await world.pass_by(3)
    assert (await world.edges["a"].shift("u", percent)).answer is answer


async def test_a_proof_on_record_lets_writes_go() -> None:
    world = World(replace(unit(), repeatable=False), edges=["a"])
    world.serve()
    await world.pass_by(3)
    edge = world.edges["a"]
    assert (await edge.shift("u", 1)).answer is Answer.NOT_ENOUGH
    await edge.prove("u", Proof("verify-writes", "b1", True, world.time, 120, "ci"))
    assert (await edge.shift("u", 1)).answer is Answer.YES
    world.builds["python"] = "b2"
    assert (await edge.shift("u", 1)).answer is Answer.NOT_ENOUGH


async def test_argo_4841_an_abort_reaches_zero_on_every_edge() -> None:
    world = World()
    await world.ramp_to(50)
    world.serve(broken=True)
    await world.pass_by(1)
    world.serve()
    await world.pass_by(600)
    assert world.percents() == {0}


async def test_what_is_lowered_while_the_journal_is_written_stays_lowered() -> None:
    world = World()
    await world.ramp_to(1)
    (leader,) = [edge for edge in world.edges.values() if edge.leads]
    append = world.journal.append

    async def slow(entry: Entry) -> None:
        await append(entry)
        if entry.share_to == 10:
            world.serve(broken=True)
            leader.guard()
            world.serve()

    world.journal.append = slow  # type: ignore[method-assign]  # a journal that takes its time
    await world.pass_by(100)
    assert world.percents() == {0}
