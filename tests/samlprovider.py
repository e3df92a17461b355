# SPDX-License-Identifier: AGPL-3.0-or-later
"""An identity provider that speaks SAML 2.0: its metadata, and answers that it signs, or not, or wrongly."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from html import escape

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from onelogin.saml2.utils import OneLogin_Saml2_Utils

PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"


@cache
def key_pair(name: str) -> tuple[str, str]:
    """A key of this name and a certificate for it, both in PEM; the same ones each time."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an answer says; the defaults make a good one for the site at `origin`."""

    origin: str
    name_id: str
    name: str | None = None
    issuer: str = "https://id.example/"
    audience: str | None = None
    destination: str | None = None
    recipient: str | None = None
    minutes: float = 5
    """How long it holds from now on."""
    status: str = "Success"
    signs: str = "Assertion"
    """What is signed: `Assertion`, `Response` or nothing (empty)."""
    zone: str = "Z"
    """How times end."""
    key: str = "provider"
    """The name of the key that signs."""
    extra: str = field(default="", repr=False)
    """More XML, in the response."""

    def xml(self) -> str:
        """The signed document."""
        now = datetime.now(UTC)
        until, at = (
            f"{moment:%Y-%m-%dT%H:%M:%S}{self.zone}"
            for moment in (now + timedelta(minutes=self.minutes), now)
        )
        since = f"{now - timedelta(minutes=60):%Y-%m-%dT%H:%M:%S}{self.zone}"
        here = f"{self.origin}/saml/oauth"
        attributes = (
            f'<saml:AttributeStatement><saml:Attribute Name="displayName"><saml:AttributeValue>{escape(self.name)}'
            "</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>"
            if self.name is not None
            else ""
        )
        assertion = (
            f'<saml:Assertion xmlns:saml="{ASSERTION}" ID="_assertion" Version="2.0" IssueInstant="{at}">'
            f"<saml:Issuer>{self.issuer}</saml:Issuer><saml:Subject>"
            f"<saml:NameID>{escape(self.name_id)}</saml:NameID>"
            '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f'<saml:SubjectConfirmationData NotOnOrAfter="{until}" Recipient="{self.recipient or here}"/>'
            "</saml:SubjectConfirmation></saml:Subject>"
            f'<saml:Conditions NotBefore="{since}" NotOnOrAfter="{until}"><saml:AudienceRestriction>'
            f"<saml:Audience>{self.audience or f'{self.origin}/saml/metadata'}</saml:Audience>"
            "</saml:AudienceRestriction></saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{at}"><saml:AuthnContext><saml:AuthnContextClassRef>'
            "urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>"
            f"</saml:AuthnStatement>{attributes}</saml:Assertion>"
        )
        private, certificate = key_pair(self.key)
        if self.signs == "Assertion":
            assertion = OneLogin_Saml2_Utils.add_sign(assertion, private, certificate).decode()
        document = (
            f'<samlp:Response xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}" ID="_response" Version="2.0" '
            f'IssueInstant="{at}" Destination="{self.destination or here}"><saml:Issuer>{self.issuer}</saml:Issuer>'
            f'<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{self.status}"/>'
            f"</samlp:Status>{self.extra}{assertion}</samlp:Response>"
        )
        if self.signs == "Response":
            document = OneLogin_Saml2_Utils.add_sign(document, private, certificate).decode()
        return document

    def text(self) -> str:
        """As a form brings it."""
        return base64.b64encode(self.xml().encode()).decode()


def metadata(issuer: str = "https://id.example/", asked_at: str = "https://id.example/sso") -> str:
    """The provider's metadata."""
    certificate = "".join(key_pair("provider")[1].splitlines()[1:-1])
    return (
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{issuer}">'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{PROTOCOL}"><md:KeyDescriptor use="signing">'
        '<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>'
        f"{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
        f'Location="{asked_at}"/></md:IDPSSODescriptor></md:EntityDescriptor>'
    )
