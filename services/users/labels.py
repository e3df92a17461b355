# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands in for a name, in the reader's language where we have words for it, else in English."""

from __future__ import annotations

DELETED = {"en": "Deleted account"}
INVITED = {
    "en": "Invited user ({host})",
    "fr": "Utilisateur invité ({host})",
    "pt_BR": "Usuário convidado ({host})",
}


def deleted(locale: str) -> str:
    """The name of an account that was closed and emptied."""
    return DELETED.get(locale, DELETED["en"])


def invited(locale: str, email: str | None) -> str:
    """What to call somebody who was invited and has not come yet: no more than the host of the address."""
    host = (email or "").rpartition("@")[2]
    return INVITED.get(locale, INVITED["en"]).format(host=host)
