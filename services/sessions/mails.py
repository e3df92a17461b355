# SPDX-License-Identifier: AGPL-3.0-or-later
"""The mails of signing in, in the language of whoever gets them where there are words for it, else in English."""

from __future__ import annotations

from services.kernel.mail import Mail
from services.kernel.settings import Settings


def login_mail(to: str, code: int, settings: Settings, language: str) -> Mail:
    """The code that signs in."""
    texts, site_name = settings.texts, settings.site.name
    return Mail(
        to,
        texts.say("email.login.subject", language, site_name=site_name),
        (
            texts.say("email.login.intro_code", language, name=to, site_name=site_name),
            texts.say("email.common.resend", language),
        ),
        emphasis=str(code),
    )


def unlock_mail(to: str, token: str, settings: Settings, language: str) -> Mail:
    """The way out of a lock."""

    def say(part: str, **values: str) -> str:
        return settings.texts.say(f"devise.mailer.unlock_instructions.{part}", language, **values)

    return Mail(
        to,
        say("subject"),
        (say("greeting", recipient=to), say("message"), say("instruction")),
        link=f"{settings.site.origin}/users/unlock?unlock_token={token}",
        link_text=say("action"),
    )
