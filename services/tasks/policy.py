# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with a task. Pure."""

from __future__ import annotations

from services.kernel.abilities import Ability, Policies, Policy
from services.tasks.model import TaskFacts


def can_update(task: TaskFacts) -> bool:
    """Whether the actor may say that it is done."""
    return task.am_author or task.am_assignee or task.may_update_record


POLICIES = Policies({Ability.TASK_UPDATE: Policy(TaskFacts, can_update)})
