# SPDX-License-Identifier: AGPL-3.0-or-later
"""The mails of signing in, in the language of whoever gets them where we have words for it, else in English."""

from __future__ import annotations

from services.kernel.mail import Mail
from services.kernel.settings import SiteSettings

LOGIN_SUBJECTS = {"en": "Your sign-in code for {site}", "fr": "Identifiez-vous sur {site}"}
UNLOCK_SUBJECT = "Unlock instructions"


def login_mail(to: str, code: int, site: SiteSettings, locale: str) -> Mail:
    """The code that signs in."""
    return Mail(
        to,
        LOGIN_SUBJECTS.get(locale, LOGIN_SUBJECTS["en"]).format(site=site.name),
        (
            f"Somebody, probably you, wants to sign in to {site.name} with this address.",
            "Enter this code where you were asked for it. It works once, and for a day.",
        ),
        emphasis=str(code),
    )


def unlock_mail(to: str, token: str, site: SiteSettings) -> Mail:
    """The way out of a lock."""
    return Mail(
        to,
        UNLOCK_SUBJECT,
        (
            f"The account of {to} was locked: too many wrong passwords were tried.",
            "If that was you, follow this link to unlock it. Else do nothing; the lock ends by itself.",
        ),
        link=f"{site.origin}/users/unlock?unlock_token={token}",
        link_text="Unlock my account",
    )
