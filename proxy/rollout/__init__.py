# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rollout: a share rises by itself while the evidence is good, stops where it is missing, falls when it is bad.

    workers ─ counts ─→ traffic ─┐
    other replicas' traffic ─────┼─→ Evidence ─ gates ─→ verdicts ─ decide ─→ Decision ─ journal, store ─→ shares
    comparisons, proofs ─────────┘                                                                    │
    workers ←──────────────────────────────────────── effective shares ───────────────────────────────┘

Pure are phases (which steps there are at all), policy (what was wished), evidence and statistics, gates, decide,
forecast and together. Around them: store and journal (ports, with Redis, PostgreSQL, a file and memory behind them),
served (counts to traffic), replica (what one edge knows and how it agrees), controller (ticks and commands).

Invariants:
- No data halts, and never passes. What no gate decides, stays.
- A raise needs a row in the journal before it happens. Lowering never waits: for nobody's agreement, no database.
- Evidence belongs to one share and one build of the new side.
- A step above the last good one is never taken again after a failure until a person starts anew.
- Replicas agree on a state by its version, and in doubt on the lower share.

Words: a *unit* is what moves together, a bundle or a group; its *state* is phase and share; a *step* is a share of the
ramp; an *epoch* the time at one share with one build; a *verdict* is a gate's word, a *decision* what a tick comes to.
"""
