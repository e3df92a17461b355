# SPDX-License-Identifier: AGPL-3.0-or-later
"""A mail in the form of recordings: what of it is part of the contract. Pure."""

from __future__ import annotations

import html
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import msgspec

from contracts.verify.smtp import Delivered

_HEADERS = frozenset(
    ("from", "to", "cc", "reply-to", "message-id", "auto-submitted", "x-auto-response-suppress")
)
"""The headers that the recorder kept; others come from the library that writes the mail."""

_URL = re.compile(r"https?://[^\s\"'<>)\]]+")
_TAG = re.compile(r"<[^>]*>")


class Mail(msgspec.Struct, frozen=True):
    """The facts of a mail, and all of its text to look for what it has to contain."""

    headers: dict[str, list[str]]
    subject: str
    parts: list[list[str | None]]
    urls: list[str]
    calendar: list[list[str]]
    text: str

    @property
    def recipients(self) -> tuple[str, ...]:
        """Whom the envelope names."""
        return tuple(self.headers["x-envelope-to"])

    def beside(self, recorded: dict[str, Any]) -> dict[str, Any]:
        """The facts as a recording of the same mail would tell them."""
        facts: dict[str, Any] = {
            "headers": self.headers,
            "subject": self.subject,
            "parts": self.parts,
            "urls": self.urls,
            "contains": [
                # Wording is looked for in the whole text, as it has no place of its own.
                text if isinstance(text, str) else self.text
                for text in recorded.get("contains", ())
                if not isinstance(text, str) or text in self.text
            ],
        }
        if self.calendar:
            facts["calendar"] = self.calendar
        return facts


def facts_of(mail: Delivered) -> Mail:
    """What a delivered mail says."""
    message = message_from_bytes(mail.content, policy=policy.default)
    parts = list(message.walk())
    # An attached invitation is told apart, line by line.
    texts = [_content(part) for part in parts if part.get_content_type() in ("text/plain", "text/html")]
    plain = [_plain(text) for text in texts]
    subject = str(message["subject"] or "")
    headers: dict[str, list[str]] = {}
    for name, value in message.items():
        if name.lower() in _HEADERS:
            headers.setdefault(name.lower(), []).append(str(value))
    headers["x-envelope-from"] = [mail.sender]
    headers["x-envelope-to"] = list(mail.recipients)
    return Mail(
        headers,
        subject,
        [[part.get_content_type(), part.get_content_disposition(), part.get_filename()] for part in parts],
        list(dict.fromkeys(url for text in texts for url in _URL.findall(html.unescape(text)))),
        [_calendar(_content(part)) for part in parts if part.get_content_type() == "text/calendar"],
        "\n".join([subject, *texts, *plain, *(value for values in headers.values() for value in values)]),
    )


def _content(part: EmailMessage) -> str:
    content = part.get_content()
    return content if isinstance(content, str) else bytes(content).decode("utf-8", "replace")


def _plain(text: str) -> str:
    """What a reader of HTML sees, roughly: enough to find a title in it."""
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _calendar(text: str) -> list[str]:
    """The lines of an invitation, folded ones (RFC 5545) put together."""
    return [line for line in re.sub(r"\r?\n[ \t]", "", text).splitlines() if line]
