# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mails: how they are built, and where they are handed over (`SMTP_*`, Rails' own settings).

Send them after the transaction that they tell of has held. Without `SMTP_SERVER` nothing is sent, as in
Rails. The server's certificate is not checked unless `SMTP_SSL_VERIFY_MODE` asks for it: Rails' default.
"""

from __future__ import annotations

import asyncio
import html
import smtplib
import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import localtime, make_msgid

from services.kernel.errors import UnavailableError
from services.kernel.settings import SiteSettings, SmtpSettings

TIMEOUT = 10.0
"""Seconds that the mail server may take to answer each time."""

LOGO = "/brand/logo_gold_96h.png"


@dataclass(frozen=True, slots=True)
class Mail:
    """A short mail: a heading, paragraphs, and perhaps a link, in one language."""

    to: str
    subject: str
    paragraphs: tuple[str, ...]
    link: str | None = None
    link_text: str = ""
    emphasis: str | None = None
    """What is shown large, such as a code."""


def build(mail: Mail, site: SiteSettings, logo: str = LOGO) -> EmailMessage:
    """The message, in plain text and in HTML. `logo` is a path on this site, or an address."""
    message = EmailMessage()
    message["From"] = Address(site.name, addr_spec=site.notifications_address)
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(domain=site.host)
    plain = [
        *mail.paragraphs,
        *((mail.emphasis,) if mail.emphasis else ()),
        *((mail.link,) if mail.link else ()),
    ]
    message.set_content("\n\n".join([*plain, f"-- \n{site.name}"]) + "\n")
    message.add_alternative(_page(mail, site, logo), subtype="html")
    return message


def _page(mail: Mail, site: SiteSettings, logo: str) -> str:
    source = logo if "://" in logo else f"{site.origin}{logo}"
    parts = [f"<p>{html.escape(text)}</p>" for text in mail.paragraphs]
    if mail.emphasis:
        parts.append(f'<p style="font-size:28px;letter-spacing:4px">{html.escape(mail.emphasis)}</p>')
    if mail.link:
        parts.append(f'<p><a href="{html.escape(mail.link)}">{html.escape(mail.link_text)}</a></p>')
    body = "".join(parts)
    return (
        f'<!DOCTYPE html><html><body><div class="container"><img src="{html.escape(source)}" '
        f'alt="{html.escape(site.name)}" height="48">{body}<p>{html.escape(site.name)}</p></div></body></html>'
    )


class Postman:
    """Hands mails over."""

    def __init__(self, settings: SmtpSettings | None, site: SiteSettings) -> None:
        """Without settings nothing is sent."""
        self._settings = settings
        self._site = site

    async def send(self, mail: Mail) -> None:
        """Hand over. Raises `UnavailableError` where the mail server does not take it."""
        if self._settings is None:
            return
        message = build(mail, self._site)
        try:
            await asyncio.to_thread(_hand_over, self._settings, self._site, mail.to, message)
        except (OSError, smtplib.SMTPException) as error:
            raise UnavailableError(f"SMTP: {type(error).__name__}") from error


def _hand_over(settings: SmtpSettings, site: SiteSettings, to: str, message: EmailMessage) -> None:
    context = ssl.create_default_context()
    if not settings.verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    where = (settings.server, settings.port, settings.domain)
    with (
        smtplib.SMTP_SSL(*where, timeout=TIMEOUT, context=context)
        if settings.uses_tls
        else smtplib.SMTP(*where, timeout=TIMEOUT)
    ) as server:
        server.ehlo_or_helo_if_needed()
        if not settings.uses_tls and server.has_extn("starttls"):
            server.starttls(context=context)
        if settings.username:
            server.login(settings.username, settings.password or "")
        server.send_message(message, site.notifications_address, [to])
