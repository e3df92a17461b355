# SPDX-License-Identifier: AGPL-3.0-or-later
"""The configuration files in JSON Schema, for editors. Made from the same declarations that read them."""

from __future__ import annotations

from typing import Any

from proxy.config.catalogue import CATALOGUE
from proxy.config.record import Record
from proxy.config.written import ROUTING

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def routing_schema() -> dict[str, Any]:
    """`schemas/routing.schema.json`."""
    return _document(
        ROUTING, "Banyan: routing.yaml", "Which backend answers which routes, for which share of users."
    )


def catalogue_schema() -> dict[str, Any]:
    """`schemas/routes.schema.json`."""
    return _document(CATALOGUE, "Banyan: routes.yaml", "Every route of the application, in Rails' order.")


def _document(record: Record, title: str, about: str) -> dict[str, Any]:
    return {"$schema": DRAFT, "title": title, "description": about} | record.schema()
