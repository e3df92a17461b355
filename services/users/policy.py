# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what with an account, and with accounts elsewhere that belong to it. Pure."""

from __future__ import annotations

from services.kernel.abilities import Ability, Policies, Policy
from services.users.model import ContactFacts, IdentityFacts, UserFacts


def can_show(user: UserFacts) -> bool:
    """Whether the actor sees the person: whoever is signed in sees everybody whose account is open."""
    return user.am_signed_in and user.is_active


def can_update(user: UserFacts) -> bool:
    """What everybody does with their own account alone."""
    return user.is_mine


def can_deactivate(user: UserFacts) -> bool:
    """Whether they may close it."""
    return user.is_active and (user.is_mine or user.am_site_admin)


def can_redact(user: UserFacts) -> bool:
    """Whether they may close it and forget whose it was."""
    return user.has_email and (user.is_mine or user.am_site_admin)


def can_contact(both: ContactFacts) -> bool:
    """Whether they may write to the person: both have had to do with the same group, thread or poll."""
    return both.shares_a_group or both.shares_a_thread or both.shares_a_poll


def can_use_identity(identity: IdentityFacts) -> bool:
    """Whether they see it and may cut it off: their own."""
    return identity.is_mine


_OWN = Policy(UserFacts, can_update)
_IDENTITY = Policy(IdentityFacts, can_use_identity)

POLICIES = Policies(
    {
        Ability.IDENTITY_DESTROY: _IDENTITY,
        Ability.IDENTITY_SHOW: _IDENTITY,
        Ability.USER_CONTACT: Policy(ContactFacts, can_contact),
        Ability.USER_DEACTIVATE: Policy(UserFacts, can_deactivate),
        Ability.USER_REDACT: Policy(UserFacts, can_redact),
        Ability.USER_SEE_NOTIFICATIONS_FOR: _OWN,
        Ability.USER_SHOW: Policy(UserFacts, can_show),
        Ability.USER_SUBSCRIBE_TO: _OWN,
        Ability.USER_UPDATE: _OWN,
    }
)
