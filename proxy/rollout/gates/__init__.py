# SPDX-License-Identifier: AGPL-3.0-or-later
"""The gates: one question to the evidence in each module, and which of them are asked when.

While only comparing there is no live traffic to ask about; at 100 % there is no old side to compare with. The hard
limit is asked always, and alone by replicas that reach nobody.
"""

from __future__ import annotations

from typing import Final

from proxy.rollout.gates.burst import Burst
from proxy.rollout.gates.coverage import Coverage
from proxy.rollout.gates.differences import Differences
from proxy.rollout.gates.errors import Errors
from proxy.rollout.gates.findings import Findings
from proxy.rollout.gates.rank import Rank
from proxy.rollout.gates.saturation import Saturation
from proxy.rollout.gates.tail import Tail
from proxy.rollout.gates.volume import Volume
from proxy.rollout.verdict import Gate

BURST: Final[Gate] = Burst()
COMPARED: Final[tuple[Gate, ...]] = (Differences(), Findings(), Coverage(), Saturation())
LIVE: Final[tuple[Gate, ...]] = (Volume(), Errors(), Rank(), Tail())


def gates_at(share: float) -> tuple[Gate, ...]:
    """The gates that can be asked at a share."""
    if share <= 0:
        return COMPARED
    return (BURST, *COMPARED) if share >= 100 else (BURST, *LIVE, *COMPARED)
