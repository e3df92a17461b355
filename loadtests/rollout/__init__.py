# SPDX-License-Identifier: AGPL-3.0-or-later
"""Simulated lives of a service under the rollout controller, on a virtual clock.

    life      what happens: traffic, faults, users (lives)
    sampling  what would be counted of it in a tick: Poisson counts, latency bins, users (sampling)
    verdict   the real `decide`, with the real gates, tick by tick (run)
    table     what traffic decides what in what time, for docs/rollout.md (__main__)

Nothing here knows how a gate works, and no gate knows that it is simulated.
"""
