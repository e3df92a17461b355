# SPDX-License-Identifier: AGPL-3.0-or-later
"""What all ways to other services share: leaving from here, coming back with who one is, and being forgotten there.

`back_to` in the session, even if it is None, says that this browser began; Rails leaves it there as well.
"""

from __future__ import annotations

import urllib.parse
from http import HTTPStatus
from typing import ClassVar

from services.kernel import parameters
from services.kernel.errors import ForgeryError, InactiveAccountError, InvalidRecordError, PageError
from services.kernel.http import Context, Handler, Reply, redirect
from services.kernel.pages import page_error
from services.sessions import actions, store
from services.sessions.linking import Arrival, do_arrive

BACK_TO = (parameters.text("back_to", "Where to go after signing in."),)

LONGEST_WAY_BACK = 1000
"""Letters that the session has room for; it is a cookie."""

AWAY = "The service that knows you does not answer. Please try again in a moment."

NOT_SET_UP = "Nobody signs in here by that service."


class RefusedError(PageError):
    """Another service, or this site, does not take what somebody came back with."""

    code = "provider_refused"
    status: ClassVar[HTTPStatus] = HTTPStatus.UNAUTHORIZED


class AwayError(PageError):
    """Another service can't be asked at the moment."""

    code = "provider_away"
    status: ClassVar[HTTPStatus] = HTTPStatus.SERVICE_UNAVAILABLE


class UnusableError(PageError):
    """No account can have what another service tells."""

    code = "provider_unusable"
    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY


class NotConnectedError(PageError):
    """There is nothing to disconnect."""

    code = "not_connected"
    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND


class NotSetUpError(PageError):
    """The operator set up no such service."""

    code = "provider_not_set_up"
    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND


def begin(context: Context) -> None:
    """Remember in the session where to go afterwards, and so that something began."""
    back_to = context.params.text("back_to") or context.request.headers.get("Referer")
    context.web.put("back_to", back_to if back_to and len(back_to) <= LONGEST_WAY_BACK else None)
    context.web.give_token()


def check_begun(context: Context) -> None:
    """Raises `RefusedError` where this browser did not begin what it comes back from."""
    if "back_to" not in context.web.values:
        raise not_begun(context)


def not_begun(context: Context) -> RefusedError:
    """What is said to a browser that comes back without having gone."""
    return page_error(RefusedError, context, "Signing in did not begin in this browser. Please try again.")


def go_back(context: Context) -> Reply:
    """To where somebody was before they signed in."""
    place = place_here(context.settings.site.origin, context.web.text("back_to"))
    context.web.drop("back_to")
    context.web.give_token()
    return redirect(place)


def place_here(origin: str, wanted: str | None) -> str:
    """The address that was wanted, if it is one of this site: no link leads people away, as it could in Loomio."""
    try:
        url = urllib.parse.urljoin(f"{origin}/", wanted or "/dashboard")
    except ValueError:
        url = ""  # no address at all
    return url if url.startswith(f"{origin}/") else f"{origin}/dashboard"


async def arrive(context: Context, arrival: Arrival) -> Reply:
    """Keep who came back, and lead them on. Raises `UnusableError`, `RefusedError`."""
    if context.actor.id is not None:
        await store.see(context.db, id=context.actor.id, now=actions.column_time(context))
    try:
        await do_arrive(context, arrival)
    except InvalidRecordError as error:
        sentence = f"No account can be made of what the service tells: {error}."
        raise page_error(UnusableError, context, sentence) from None
    except InactiveAccountError as error:
        raise page_error(RefusedError, context, str(error)) from None
    return go_back(context)


def leave(name: str) -> Handler:
    """Not to be known to a service any more."""

    async def handler(context: Context) -> Reply:
        # It is a GET: a picture on a page elsewhere would do.
        if context.request.headers.get("Sec-Fetch-Site") == "cross-site":
            raise ForgeryError
        context.web.give_token()
        if context.actor.id is not None:
            await store.see(context.db, id=context.actor.id, now=actions.column_time(context))
            if await store.delete_identity(context.db, user_id=context.actor.id, identity_type=name):
                origin = context.settings.site.origin
                came_from = context.request.headers.get("Referer", "")
                return redirect(came_from if came_from.startswith(f"{origin}/") else f"{origin}/")
        raise page_error(NotConnectedError, context, f"Not connected to {name}.")

    return handler
