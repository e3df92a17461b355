# SPDX-License-Identifier: AGPL-3.0-or-later
"""How mails are built."""

from __future__ import annotations

from services.kernel.mail import Mail, build
from services.kernel.settings import SiteSettings

SITE = SiteSettings("here.example", None, True, 'A "site" & more', "notes@here.example")


def test_both_forms_say_the_same_and_nothing_is_markup() -> None:
    mail = Mail(
        "a@b.example", "Hello", ("<script>x</script>",), "https://here.example/?a=1&b=2", "Go", "123456"
    )
    message = build(mail, SITE)
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip
    plain, page = (str(part.get_content()) for part in message.iter_parts())
    for text in (plain, page):
        assert "123456" in text
    assert "<script>" not in page
    assert "https://here.example/?a=1&amp;b=2" in page
    assert "https://here.example/brand/" in page
    assert message["From"].addresses[0].addr_spec == "notes@here.example"
