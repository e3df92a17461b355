# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one family of failures of this package.

Whoever reads foreign bytes has to expect every one of these; whoever counts them counts by `code`.
"""

from enum import StrEnum


class Code(StrEnum):
    """Why something was refused. The values are stable: they are labels of metrics and words of logs."""

    MALFORMED = "malformed"
    """Not in the format at all: cut off, wrong alphabet, impossible lengths."""
    TAMPERED = "tampered"
    """In the format, but not made with our secret."""
    EXPIRED = "expired"
    """Genuine, but its time is over (or it has an expiry and there is no clock to judge it by)."""
    PURPOSE = "purpose"
    """Genuine, but made for something else."""
    UNSUPPORTED = "unsupported"
    """Genuine Ruby, outside of the subset that is understood."""
    TOO_LARGE = "too_large"
    """Larger, deeper or longer than anything that is accepted."""


class WireFormatError(ValueError):
    """Something that claims to be in one of Rails' formats is not acceptable."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


class MarshalError(WireFormatError):
    """Bytes are no Marshal stream of the supported subset, or a value has no place in one."""


class CookieError(WireFormatError):
    """A cookie's value cannot be trusted, or a value fits in no cookie."""


class SignedIdError(WireFormatError):
    """A signed id is not genuine, is of another kind, or has expired."""


class JobError(WireFormatError):
    """A job's payload is not what Sidekiq and ActiveJob write."""
