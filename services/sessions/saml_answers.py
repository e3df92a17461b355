# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an identity provider says in SAML 2.0, read and judged by python3-saml.

Signatures, conditions and all else that makes an answer good are the library's business, in its strict manner: an
answer is signed by a key of the provider's metadata, in whole or in its assertion; it is for this site, in time, and
a success. The time is the machine's. The library is loaded where SAML is used, and not before.
"""

from __future__ import annotations

import urllib.parse
from typing import Any

import msgspec

from services.sessions.saml_messages import BY_POST, EMAIL_ADDRESS, Site

NAME = "displayName"
"""The attribute that holds somebody's name."""


class SamlError(Exception):
    """What an identity provider says is of no use; the message is for operators."""


class IdentityProvider(msgspec.Struct, frozen=True):
    """What the metadata of an identity provider says."""

    asked_at: str
    """Where people are sent to be signed in."""
    facts: dict[str, Any]
    """As the library has them."""


class Person(msgspec.Struct, frozen=True):
    """Who somebody is, by a good answer."""

    name_id: str
    name: str | None


def check_library() -> None:
    """Raises `SamlError` where the library can't be loaded, or its parts do not fit together."""
    try:
        import onelogin.saml2.response  # noqa: F401 (loads the compiled parts, too)
    except Exception as error:  # xmlsec has errors of its own for this, which can't be named then
        raise SamlError(f"python3-saml can't be loaded: {error}") from error


def read_provider(metadata: bytes) -> IdentityProvider:
    """The provider of a metadata document. Raises `SamlError`."""
    check_library()
    from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser

    try:
        facts = OneLogin_Saml2_IdPMetadataParser.parse(metadata).get("idp", {})
    except Exception as error:  # whatever the library and its parts stumble over
        raise SamlError(f"metadata: {type(error).__name__}") from error
    asked_at = facts.get("singleSignOnService", {}).get("url")
    if not asked_at:
        raise SamlError("metadata: no SingleSignOnService by HTTP-Redirect")
    if not ("x509cert" in facts or "signing" in facts.get("x509certMulti", {})):
        raise SamlError("metadata: no key that signs")
    return IdentityProvider(asked_at, facts)


def read_answer(text: str, provider: IdentityProvider, site: Site) -> Person:
    """Who an answer, in Base64, says that somebody is. Raises `SamlError` where it is not good."""
    from onelogin.saml2.response import OneLogin_Saml2_Response
    from onelogin.saml2.settings import OneLogin_Saml2_Settings

    try:
        settings = OneLogin_Saml2_Settings(_settings(provider, site))
        answer = OneLogin_Saml2_Response(settings, text)
        answer.is_valid(_request_of(site), raise_exceptions=True)
        names = answer.get_attributes().get(NAME) or [None]
        return Person(answer.get_nameid() or "", names[0])
    except Exception as error:  # the library has errors of its own, those of its parts, and bare ones
        raise SamlError(f"answer: {error}") from error


def _settings(provider: IdentityProvider, site: Site) -> dict[str, Any]:
    return {
        "strict": True,
        "sp": {
            "entityId": site.entity_id,
            "assertionConsumerService": {"url": site.answers_at, "binding": BY_POST},
            "NameIDFormat": EMAIL_ADDRESS,
        },
        "idp": provider.facts,
        "security": {
            "allowRepeatAttributeName": True,
            "allowSingleLabelDomains": True,
            "wantAttributeStatement": False,
        },
    }


def _request_of(site: Site) -> dict[str, Any]:
    """The request that brought an answer, as the library wants it told: by the site's own name, whatever the client
    says.
    """
    where = urllib.parse.urlsplit(site.answers_at)
    return {
        "https": "on" if where.scheme == "https" else "off",
        "http_host": where.netloc,
        "script_name": where.path,
        "get_data": {},
        "post_data": {},
    }
