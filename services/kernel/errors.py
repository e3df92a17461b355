# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can go wrong, told as Rails and Loomio tell it.

Loomio's controllers answer `{"exception": class, "error": sentence}` for what they expect; Rails answers
`{"status": number, "error": reason}` for the rest; Devise answers `{"error": sentence}`. Class names and
statuses are contract, sentences are not. `code` is stable: it is the label of metrics and logs.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar


class ServiceError(Exception):
    """A request that ends in an error the client may see."""

    code: ClassVar[str]
    status: ClassVar[HTTPStatus]
    headers: ClassVar[dict[str, str]] = {}
    """Response headers beside those of every answer."""
    from_controller: ClassVar[bool] = False
    """Whether Rails answers this within a controller, with the headers of any answer, or outside of all."""

    def body(self) -> dict[str, Any]:
        """The JSON document."""
        return {"status": int(self.status), "error": self.status.phrase}


class NoRouteError(ServiceError):
    """Nothing lives at this path, for this method."""

    code = "no_route"
    status = HTTPStatus.NOT_FOUND


class BadRequestError(ServiceError):
    """The request can't be understood. Where Rails would fall over (500), this is the answer too."""

    code = "bad_request"
    status = HTTPStatus.BAD_REQUEST


class InternalError(ServiceError):
    """A mistake of ours."""

    code = "internal"
    status = HTTPStatus.INTERNAL_SERVER_ERROR


class UnavailableError(ServiceError):
    """Something we need is away or too slow; the same request may work in a moment."""

    code = "unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class ControllerError(ServiceError):
    """What Loomio's controllers rescue."""

    from_controller = True
    exception: ClassVar[str]
    """The Ruby class, as it is named in the answer."""

    def body(self) -> dict[str, Any]:
        """Class and sentence."""
        return {"exception": self.exception, "error": str(self)}


class NotFoundError(ControllerError):
    """There is no such record, or it may not even be known that there is."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND
    exception = "ActiveRecord::RecordNotFound"

    def __init__(self, kind: str) -> None:
        """`kind` is the model's name, such as `Discussion`."""
        super().__init__(f"Couldn't find {kind}")


class AccessDeniedError(ControllerError):
    """The actor may not do this."""

    code = "access_denied"
    status = HTTPStatus.FORBIDDEN
    exception = "CanCan::AccessDenied"

    def __init__(self, what: str = "do this") -> None:
        """`what` the actor may not do, as the end of a sentence."""
        super().__init__(f"You are not authorized to {what}.")


class InactiveAccountError(ServiceError):
    """Somebody is signed in whose account is deactivated or locked."""

    code = "inactive_account"
    status = HTTPStatus.UNAUTHORIZED
    headers: ClassVar[dict[str, str]] = {
        "WWW-Authenticate": 'Basic realm="Application"',
        "Cache-Control": "no-cache",
    }

    def body(self) -> dict[str, Any]:
        """The sentence alone, as Devise has it."""
        return {"error": "This account is closed or locked at the moment."}
