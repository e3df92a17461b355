# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing in, signing out, signing up.

Tables: `users` (password, lock, tracked and remembered columns), `login_tokens`, `omniauth_identities`,
`versions`. Routes: `sessions#create`, `sessions#destroy`, `registrations#create`, `login_tokens#create`,
`identities#command`, `web/identities/*` (`identities`, `saml`, `returning`), the landing pages of mailed links, and
`banyan/tokens#create` (`bearers`).

Flow of signing in
    1. Who: by password (`authenticate`), by a mailed link that waits in the session, by a mailed code, or by
       another service (`providers` says who is asked and what is told, `linking` whose it is).
    2. `actions.do_sign_in`: the account is verified by it; the columns of Devise's trackable and rememberable
       are written; the session gets a new id and a new real token; the browser is remembered for two weeks.
    3. What waited for somebody to sign in is redeemed (`services.kernel.redeem`); tokens leave the session.

Invariants
    * A password is checked in a thread, and for addresses that are nobody's as well: how long an answer takes
      tells nothing. Twenty wrong ones lock an account for six hours (`policy`), mailed with a way out.
    * Only verified accounts have passwords that count.
    * Links and codes work once, and for a day: one statement uses them up, so of several who try at the same
      time one gets in. Accounts that may not sign in leave them as they are.
    * A way back from another service counts only in a browser that began one, or has nobody signed in (SAML).
    * Mails leave after the transaction held; nobody's address is told who else has an account, beyond what
      Loomio itself tells.
"""
