# SPDX-License-Identifier: AGPL-3.0-or-later
"""What this site says in SAML 2.0: who it is, and that somebody wants to sign in. Pure.

Neither is signed; Loomio has no key of its own for this. Nothing is read here: what an identity provider says is
read by a library (`saml_answers`).
"""

from __future__ import annotations

import base64
import urllib.parse
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
EMAIL_ADDRESS = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
"""What people are asked to be named by."""
BY_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
BY_REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
METADATA_TYPE = "application/samlmetadata+xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Site:
    """This site, as an identity provider knows it."""

    entity_id: str
    answers_at: str
    """Where browsers bring the answer."""
    leaves_at: str
    """What is named for signing out, as Loomio does; nothing there understands such a message."""


def request_text(site: Site, destination: str, request_id: str, now: datetime) -> str:
    """The request that somebody be signed in. `request_id` begins with a letter or `_`."""
    request = ElementTree.Element(
        f"{{{PROTOCOL}}}AuthnRequest",
        {
            "ID": request_id,
            "Version": "2.0",
            "IssueInstant": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "Destination": destination,
            "AssertionConsumerServiceURL": site.answers_at,
            "ProtocolBinding": BY_POST,
        },
    )
    ElementTree.SubElement(request, f"{{{ASSERTION}}}Issuer").text = site.entity_id
    ElementTree.SubElement(
        request, f"{{{PROTOCOL}}}NameIDPolicy", {"Format": EMAIL_ADDRESS, "AllowCreate": "true"}
    )
    return _text(request)


def way_there(destination: str, request: str) -> str:
    """The address that brings a request: deflated, in Base64, as a parameter."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = deflate.compress(request.encode()) + deflate.flush()
    query = urllib.parse.urlencode({"SAMLRequest": base64.b64encode(packed).decode()})
    return f"{destination}{'&' if '?' in destination else '?'}{query}"


def metadata_text(site: Site) -> str:
    """Who this site is, for operators of identity providers."""
    entity = ElementTree.Element(f"{{{METADATA}}}EntityDescriptor", {"entityID": site.entity_id})
    service = ElementTree.SubElement(
        entity,
        f"{{{METADATA}}}SPSSODescriptor",
        {
            "AuthnRequestsSigned": "false",
            "WantAssertionsSigned": "false",
            "protocolSupportEnumeration": PROTOCOL,
        },
    )
    leaves = {"Binding": BY_REDIRECT, "Location": site.leaves_at}
    ElementTree.SubElement(service, f"{{{METADATA}}}SingleLogoutService", leaves)
    ElementTree.SubElement(service, f"{{{METADATA}}}NameIDFormat").text = EMAIL_ADDRESS
    answers = {"Binding": BY_POST, "Location": site.answers_at, "isDefault": "true", "index": "0"}
    ElementTree.SubElement(service, f"{{{METADATA}}}AssertionConsumerService", answers)
    return _text(entity)


def _text(element: ElementTree.Element) -> str:
    return ElementTree.tostring(element, encoding="unicode")


for _prefix, _name in (("samlp", PROTOCOL), ("saml", ASSERTION), ("md", METADATA)):
    ElementTree.register_namespace(_prefix, _name)
