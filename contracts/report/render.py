# SPDX-License-Identifier: AGPL-3.0-or-later
"""A report in any of its forms."""

from __future__ import annotations

from enum import StrEnum

from contracts.report import junit, machine, markdown, page, table
from contracts.report.model import Report


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"
    JUNIT = "junit"


def render(report: Report, form: Format, *, width: int = 120, color: bool = False) -> str:
    """The report as text. `width` and `color` are the terminal's, for the table."""
    match form:
        case Format.TABLE:
            return table.render(report, width=width, color=color)
        case Format.MARKDOWN:
            return markdown.render(report)
        case Format.HTML:
            return page.render(report)
        case Format.JSON:
            return machine.render(report)
        case Format.JUNIT:
            return junit.render(report)
