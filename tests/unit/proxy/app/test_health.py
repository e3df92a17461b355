# SPDX-License-Identifier: AGPL-3.0-or-later
"""When an address counts as up."""

from __future__ import annotations

from proxy.app.health import AddressHealth


def test_it_falls_and_rises_after_a_row_of_checks() -> None:
    state = AddressHealth(fall=3, rise=2)
    seen = []
    for good in (False, False, True, False, False, False, True, False, True, True, True):
        changed = state.checked(good)
        seen.append((state.up, changed))
    assert [up for up, _ in seen] == [True] * 5 + [False] * 4 + [True] * 2
    assert [at for at, (_, changed) in enumerate(seen) if changed] == [5, 9]
