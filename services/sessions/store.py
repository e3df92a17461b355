# SPDX-License-Identifier: AGPL-3.0-or-later
"""Statements of signing in, bound to their types."""

from __future__ import annotations

from services.kernel import sql
from services.sessions.model import KnownIdentity, Login, MailedCode, Owner

queries = sql.load(__file__)

login_of_email = queries.one("login_of_email", Login)
login_of_id = queries.one("login_of_id", Login)
unverified_of_email = queries.one("unverified_of_email", Login)
token_of_code = queries.one("token_of_code", MailedCode)
identity_owner = queries.one("identity_owner", Owner)
identity_of_uid = queries.one("identity_of_uid", KnownIdentity)
locked_ids = queries.values("locked_ids", int)
others_of_email = queries.values("others_of_email", int)
usernames_taken = queries.values("usernames_taken", int)
keys_taken = queries.values("keys_taken", int)

count_failure = queries.values("count_failure", int)
unlock = queries.command("unlock")
lock = queries.values("lock", int)
track_sign_in = queries.values("track_sign_in", str)
see = queries.command("see")
forget = queries.command("forget")
sign_out = queries.command("sign_out")
rename = queries.command("rename")
add_login_token = queries.command("add_login_token")
use_token = queries.values("use_token", int)
detect_locale = queries.command("detect_locale")
adopt_identity = queries.command("adopt_identity")
add_user = queries.values("add_user", int)
complete_user = queries.command("complete_user")
hold_uid = queries.values("hold_uid", int)
add_identity = queries.values("add_identity", int)
update_identity = queries.command("update_identity")
delete_identity = queries.values("delete_identity", int)
force_attributes = queries.command("force_attributes")
