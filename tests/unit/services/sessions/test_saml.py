# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is said in SAML, and what is believed."""

from __future__ import annotations

import base64
import sys
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from services.sessions.saml_answers import Person, SamlError, read_answer, read_provider
from services.sessions.saml_messages import Site, metadata_text, request_text, way_there
from tests.samlprovider import Said, metadata

ORIGIN = "https://here.example"
SITE = Site(f"{ORIGIN}/saml/metadata", answers_at=f"{ORIGIN}/saml/oauth", leaves_at=f"{ORIGIN}/saml")
GOOD = Said(origin=ORIGIN, name_id="ada@other.example", name="Ada & Co")
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)


def valid(text: str, schema: str) -> etree._Element:
    """A document that keeps to a schema of the standard."""
    document = OneLogin_Saml2_XML.validate_xml(text, f"saml-schema-{schema}-2.0.xsd")
    assert not isinstance(document, str), document
    return document


def test_a_request_keeps_to_the_standard_and_travels_deflated() -> None:
    text = request_text(SITE, "https://id.example/sso?a=b&c", "_1", NOW)
    request = valid(text, "protocol")
    assert request.get("IssueInstant") == "2031-05-01T12:00:00Z"
    assert request.get("AssertionConsumerServiceURL") == SITE.answers_at
    assert request.findtext("{*}Issuer") == SITE.entity_id
    there = way_there("https://id.example/sso?a=b", text)
    query = parse_qs(urlsplit(there).query)
    assert query["a"] == ["b"]
    packed = base64.b64decode(query["SAMLRequest"][0], validate=True)
    assert zlib.decompress(packed, -zlib.MAX_WBITS).decode() == text
    assert way_there("https://id.example/sso", text).startswith("https://id.example/sso?SAMLRequest=")


def test_metadata_keep_to_the_standard() -> None:
    entity = valid(metadata_text(SITE), "metadata")
    assert entity.get("entityID") == SITE.entity_id
    (service,) = entity.iter("{*}AssertionConsumerService")
    assert service.get("Location") == SITE.answers_at


@pytest.mark.parametrize("signs", ["Assertion", "Response"])
def test_a_signed_answer_is_believed(signs: str) -> None:
    provider = read_provider(metadata().encode())
    assert provider.asked_at == "https://id.example/sso"
    assert read_answer(replace(GOOD, signs=signs).text(), provider, SITE) == Person(
        "ada@other.example", "Ada & Co"
    )
    assert read_answer(replace(GOOD, signs=signs, name=None).text(), provider, SITE).name is None


BAD = {
    "nobody signed": replace(GOOD, signs=""),
    "another key": replace(GOOD, key="another"),
    "another key signed all of it": replace(GOOD, key="another", signs="Response"),
    "another provider": replace(GOOD, issuer="https://evil.example/"),
    "for another site": replace(GOOD, audience="https://elsewhere.example"),
    "to another address": replace(GOOD, destination="https://elsewhere.example/saml/oauth"),
    "for another address": replace(GOOD, recipient="https://elsewhere.example/saml/oauth"),
    "too old": replace(GOOD, minutes=-30),
    "no success": replace(GOOD, status="Requester"),
    "nobody": replace(GOOD, name_id=""),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_good_is_not_believed(name: str) -> None:
    with pytest.raises(SamlError):
        read_answer(BAD[name].text(), read_provider(metadata().encode()), SITE)


@pytest.mark.parametrize(
    ("old", "new"),
    [("ada@", "eve@"), ("Ada &amp; Co", "Eve"), ("<saml:NameID>", "<saml:NameID><!-- x -->eve")],
)
@pytest.mark.parametrize("signs", ["Assertion", "Response"])
def test_what_was_changed_is_not_believed(old: str, new: str, signs: str) -> None:
    changed = replace(GOOD, signs=signs).xml().replace(old, new)
    with pytest.raises(SamlError):
        read_answer(base64.b64encode(changed.encode()).decode(), read_provider(metadata().encode()), SITE)


def test_a_signed_assertion_does_not_cover_another_beside_it() -> None:
    """Signature wrapping: the signed one stays, and one that nobody signed is put before it."""
    signed = GOOD.xml()
    forged = replace(GOOD, name_id="eve@other.example", signs="").xml()
    evil = forged[forged.index("<saml:Assertion") : forged.index("</samlp:Response>")]
    provider = read_provider(metadata().encode())
    for place in (signed.index("<saml:Assertion"), signed.index("</samlp:Response>")):
        for one in (evil, evil.replace('"_assertion"', '"_evil"')):
            wrapped = signed[:place] + one + signed[place:]
            with pytest.raises(SamlError):
                read_answer(base64.b64encode(wrapped.encode()).decode(), provider, SITE)


def test_an_odd_time_in_a_signed_answer_is_not_believed() -> None:
    """The standard's schema takes it; the library has no words for it."""
    with pytest.raises(SamlError):
        read_answer(replace(GOOD, zone="+00:00").text(), read_provider(metadata().encode()), SITE)


@given(st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode()))
def test_anything_else_is_not_believed(text: str) -> None:
    with pytest.raises(SamlError):
        read_answer(text, read_provider(metadata().encode()), SITE)


LAUGHS = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>'


@pytest.mark.parametrize("text", ["", "<", "<a/>", LAUGHS, OUTSIDE, metadata(asked_at=""), metadata()[:400]])
def test_metadata_of_no_use_are_an_error(text: str) -> None:
    with pytest.raises(SamlError):
        read_provider(text.encode())
    with pytest.raises(SamlError):
        read_answer(base64.b64encode(text.encode()).decode(), read_provider(metadata().encode()), SITE)


def test_metadata_without_a_key_are_an_error() -> None:
    start, end = (metadata().index(tag) for tag in ("<md:KeyDescriptor", "<md:SingleSignOnService"))
    with pytest.raises(SamlError):
        read_provider((metadata()[:start] + metadata()[end:]).encode())


def test_a_library_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onelogin.saml2.response", None)
    with pytest.raises(SamlError, match="python3-saml"):
        read_provider(metadata().encode())
