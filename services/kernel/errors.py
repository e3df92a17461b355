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
    from_controller: ClassVar[bool] = False
    """Whether Rails answers this within a controller, with the headers of any answer, or outside of all."""

    @property
    def headers(self) -> dict[str, str]:
        """Response headers beside those of every answer."""
        return {}

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


class ForgeryError(ServiceError):
    """A changing request that does not come from a page of ours (ActionController::InvalidAuthenticityToken)."""

    code = "forgery"
    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def body(self) -> dict[str, Any]:
        """Rails' newer name of the status."""
        return {"status": int(self.status), "error": "Unprocessable Content"}


class InternalError(ServiceError):
    """A mistake of ours."""

    code = "internal"
    status = HTTPStatus.INTERNAL_SERVER_ERROR


class UnavailableError(ServiceError):
    """Something we need is away or too slow; the same request may work in a moment."""

    code = "unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    @property
    def headers(self) -> dict[str, str]:
        """When to ask again."""
        return {"Retry-After": "1"}


class DeadlineError(UnavailableError):
    """The answer took longer than a request may."""

    code = "deadline"


class ElsewhereError(UnavailableError):
    """Another server that we ask is away, too slow, or answers nothing that is of use; `str()` says which."""

    code = "elsewhere"


class ReadOnlyError(ServiceError):
    """A request that may only read, such as one that is compared with the other side's answer, would write."""

    code = "read_only"
    status = HTTPStatus.CONFLICT


class TooManyRequestsError(ServiceError):
    """This address has asked for this too often; `seconds` tells when it may again."""

    code = "too_many_requests"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, seconds: int) -> None:
        """`seconds` until the next period."""
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds

    @property
    def headers(self) -> dict[str, str]:
        """When to ask again."""
        return {"Retry-After": str(self.seconds)}


class TooLargeError(ServiceError):
    """The request's body is longer than anything that is served here takes."""

    code = "too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


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


class ParameterMissingError(ControllerError):
    """A parameter that must be there is missing or empty."""

    code = "parameter_missing"
    status = HTTPStatus.BAD_REQUEST
    exception = "ActionController::ParameterMissing"

    def __init__(self, name: str) -> None:
        """`name` of the parameter."""
        super().__init__(f"param is missing or the value is empty or invalid: {name}")


class UnpermittedParametersError(ControllerError):
    """A nested parameter has keys, or kinds of values, that nobody asked for."""

    code = "unpermitted_parameters"
    status = HTTPStatus.BAD_REQUEST
    exception = "ActionController::UnpermittedParameters"

    def __init__(self, names: list[str]) -> None:
        """`names` of the keys."""
        super().__init__(f"found unpermitted parameters: {', '.join(names)}")


class PageError(ServiceError):
    """What people see who followed a link: a page, or its sentence where JSON is wanted (respond_with_error)."""

    from_controller = True

    def __init__(self, sentence: str, page: bytes, cause: str = "") -> None:
        """`page` is the HTML that says the sentence; `cause` is for the log alone."""
        super().__init__(cause or sentence)
        self.sentence = sentence
        self.page = page

    def body(self) -> dict[str, Any]:
        """The sentence."""
        return {"error": self.sentence}


class SignedOutError(ServiceError):
    """Only for people who are signed in."""

    code = "signed_out"
    status = HTTPStatus.UNAUTHORIZED
    from_controller = True

    def body(self) -> dict[str, Any]:
        """What Loomio's client expects."""
        return {"error": "you gotta be signed in"}


class InvalidRecordError(ServiceError):
    """A record does not hold what it must; `errors` says why, by field."""

    code = "invalid_record"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    from_controller = True

    def __init__(self, errors: dict[str, list[str]]) -> None:
        """Field → reasons."""
        super().__init__(", ".join(errors))
        self.errors = errors

    def body(self) -> dict[str, Any]:
        """The reasons."""
        return {"errors": self.errors}


class InvalidBearerError(ServiceError):
    """A bearer token that is not ours, is over, or whose account changed or may not sign in."""

    code = "invalid_token"
    status = HTTPStatus.UNAUTHORIZED
    from_controller = True

    @property
    def headers(self) -> dict[str, str]:
        """As RFC 6750 has it."""
        return {"WWW-Authenticate": 'Bearer error="invalid_token"'}

    def body(self) -> dict[str, Any]:
        """No more than that: why is nobody's business."""
        return {"error": "This token is not valid, or not any more."}


class InactiveAccountError(ServiceError):
    """Somebody is signed in whose account is deactivated or locked."""

    code = "inactive_account"
    status = HTTPStatus.UNAUTHORIZED

    @property
    def headers(self) -> dict[str, str]:
        """As Devise's."""
        return {"WWW-Authenticate": 'Basic realm="Application"', "Cache-Control": "no-cache"}

    def body(self) -> dict[str, Any]:
        """The sentence alone, as Devise has it."""
        return {"error": str(self)}
