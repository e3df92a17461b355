# SPDX-License-Identifier: AGPL-3.0-or-later
"""`make demo ARGS=--ramp`: a group climbs by itself while people use it, something breaks, and it is taken back.

Flow
    1. `routing.yaml` (beside this) declares one ramp with short times. The edge that runs it is the real one, with its
       journal and its comparisons in the database; the recorded legacy takes as long as Rails did.
    2. `run` presses start, as `banyan rollout start` does, and from then on only watches: the controller in the edge
       compares, waits, raises.
    3. At the top, `front`, which stands between the edge and the services, begins to spoil answers. Nobody tells the
       edge. Its controller sees users' errors and takes the share back; the new side goes on failing, and nobody
       meets it any more.
    4. `story` makes sentences and figures of the edge's own journal; `account` holds what that meant for users;
       `view` shows both, `report` sums up.

Invariants
    * What happened and when is taken from the edge's journal, not from what the demo believes.
    * The demo moves no share. It starts a ramp and spoils answers; it never asks to go back.
    * A wrong answer counts for what it is, also while the fault is on.
"""
