# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with a document or an attachment. Pure."""

from __future__ import annotations

from services.documents.model import DocumentFacts
from services.groups.model import GroupFacts
from services.kernel.abilities import Ability, Policies, Policy


def can_update(document: DocumentFacts) -> bool:
    """Whether the actor may bring it, and change it."""
    return document.may_update_record if document.has_record else document.am_verified


def can_destroy(document: DocumentFacts) -> bool:
    """Whether they may take it away."""
    return document.has_record and document.am_group_admin


def can_show_attachment(group: GroupFacts) -> bool:
    """Whether they see an attachment in a list of the group's."""
    return group.am_member and not group.is_archived


def can_destroy_attachment(group: GroupFacts) -> bool:
    """Whether they may take away what somebody attached."""
    return group.am_admin and not group.is_archived


_UPDATING = Policy(DocumentFacts, can_update)

POLICIES = Policies(
    {
        Ability.ATTACHMENT_DESTROY: Policy(GroupFacts, can_destroy_attachment),
        Ability.ATTACHMENT_SHOW: Policy(GroupFacts, can_show_attachment),
        Ability.DOCUMENT_CREATE: _UPDATING,
        Ability.DOCUMENT_DESTROY: Policy(DocumentFacts, can_destroy),
        Ability.DOCUMENT_UPDATE: _UPDATING,
    }
)
