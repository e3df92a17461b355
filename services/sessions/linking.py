# SPDX-License-Identifier: AGPL-3.0-or-later
"""What becomes of whoever comes back from another service: Loomio's steps (its Identities::BaseController#create).

1. The identity is the row of the same service and uid; what the service says now is written to it. A new one
   belongs to whoever is signed in, else to the verified account of the same address.
2. Where the site has no sign-in of its own (`FEATURES_DISABLE_EMAIL_LOGIN`), an unverified account of the address
   will do, and without one an account is made: the service's word is enough.
3. Its owner is signed in. Without one it waits in the session (`pending_identity_id`), and the client asks for a
   name or a password.
"""

from __future__ import annotations

import msgspec

from services.kernel.db import ConstraintError
from services.kernel.errors import InvalidRecordError
from services.kernel.http import Context
from services.sessions import actions, policy, store
from services.sessions.model import Login
from services.users.model import initials
from services.users.store import add_version

TRUSTS_SERVICES_ALONE = "FEATURES_DISABLE_EMAIL_LOGIN"
FORCES_ATTRIBUTES = "LOOMIO_SSO_FORCE_USER_ATTRS"


class Arrival(msgspec.Struct, frozen=True):
    """Who came back, as the service tells. Columns keep what they hold where it tells nothing (None)."""

    identity_type: str
    uid: str
    email: str
    name: str | None
    logo: str | None = None
    access_token: str | None = None


async def do_arrive(context: Context, arrival: Arrival) -> None:
    """Keep the identity, and sign its owner in, if it has one.

    Raises `InvalidRecordError` where an account would have to be made that can't be, and `InactiveAccountError` where
    the owner may not sign in.
    """
    try:
        identity_id, login = await context.db.atomically(lambda: _keep(context, arrival))
    except ConstraintError:
        # Somebody made the account in the meantime: now it is found.
        identity_id, login = await context.db.atomically(lambda: _keep(context, arrival))
    if login is None:
        context.web.put("pending_identity_id", identity_id)
        return
    if FORCES_ATTRIBUTES in context.settings.environment:
        login = await _do_force(context, login, arrival)
    if login.id != context.actor.id:
        await actions.do_sign_in(context, login, is_seen=False)
    context.web.flash("notice", context.say(actions.SIGNED_IN))


async def _keep(context: Context, arrival: Arrival) -> tuple[int, Login | None]:
    """The identity's id and its owner. Of several at the same time the first makes the row, the others find it."""
    now = actions.column_time(context)
    told = msgspec.structs.asdict(arrival)
    service = {name: told.pop(name) for name in ("identity_type", "uid")}
    await store.hold_uid(context.db, what=f"{arrival.identity_type} {arrival.uid}")
    known = await store.identity_of_uid(context.db, **service)
    if known is not None:
        await store.update_identity(context.db, id=known.id, now=now, **told)
        owner = None if known.user_id is None else await store.login_of_id(context.db, id=known.user_id)
        return known.id, owner
    owner = await _owner(context, arrival)
    user_id = owner.id if owner else None
    (identity_id,) = await store.add_identity(context.db, user_id=user_id, now=now, **service, **told)
    return identity_id, owner


async def _owner(context: Context, arrival: Arrival) -> Login | None:
    """Whose a new identity is."""
    if context.actor.id is not None:
        return await store.login_of_id(context.db, id=context.actor.id)
    verified = await store.login_of_email(context.db, email=arrival.email)
    if verified is not None or TRUSTS_SERVICES_ALONE not in context.settings.environment:
        return verified
    existing = await store.unverified_of_email(context.db, email=arrival.email)
    return existing or await _do_make_account(context, arrival)


async def _do_make_account(context: Context, arrival: Arrival) -> Login:
    """An account for whoever a service vouches for. Raises `InvalidRecordError`."""
    email = policy.normal_email(arrival.email)
    problems = _problems(context, email, arrival.name, is_taken=False)
    if problems:
        raise InvalidRecordError(problems)
    return await actions.do_add_user(context, email, name=arrival.name, verified=True)


async def _do_force(context: Context, login: Login, arrival: Arrival) -> Login:
    """Name and address are those that the service tells, unless no account can have them."""
    email = policy.normal_email(arrival.email)
    name = arrival.name if (arrival.name or "").strip() else login.name
    if (name, email) == (login.name, login.email):
        return login
    others = await store.others_of_email(context.db, email=email, id=login.id)
    if _problems(context, email, name, is_taken=bool(others)):
        return login

    async def write() -> None:
        now = actions.column_time(context)
        letters = initials(name, email)[:3]
        await store.force_attributes(
            context.db, id=login.id, name=name, email=email, initials=letters, now=now
        )
        both = {"name": [login.name, name], "email": [login.email, email]}
        changes = {column: pair for column, pair in both.items() if pair[0] != pair[1]}
        await add_version(context.db, id=login.id, event="update", changes=changes, now=now)

    try:
        await context.db.atomically(write)
    except ConstraintError:
        return login  # the address became somebody else's in the meantime
    return msgspec.structs.replace(login, name=name, email=email)


def _problems(context: Context, email: str, name: str | None, *, is_taken: bool) -> dict[str, list[str]]:
    """Why no account can have this address and name. A name may be missing, as Loomio has it here."""
    site, spam = context.settings.site, context.settings.spam
    forbidden = context.settings.environment.get("DECIDE_EMAIL", f"decide@{site.host}")
    problems = {
        "email": policy.email_problems(email, is_taken=is_taken, forbidden=forbidden, spam=spam),
        "name": policy.name_problems(name, spam) if name else [],
    }
    return actions.in_words(context, problems)
