# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rails' wire formats, spoken natively: what Rails writes Python reads, and the other way round.

While an application moves from Rails to Python, one person's requests are answered by both. They must agree
on who that person is, so both read and write the same cookies, signed ids, tokens and jobs. Each module is
one format:

    keys        secret → key               (PBKDF2; every other module derives from here)
    strict64    bytes ↔ base64             (as strict as Ruby)
    marshal     bytes ↔ values             (the subset of Ruby's Marshal that sessions are made of)
    messages    payload ↔ signed text      (signature, purpose, expiry: what cookies and signed ids share)
    cookies     Cookie header ↔ values     (encrypted and signed cookies)
    session     values → who, and what     (Warden, remember-me, flash)
    signed_ids  values ↔ signed text       (ActiveStorage: blob ids, variations, blob keys)
    csrf        session → tokens → yes, no (authenticity tokens)
    devise      token digests, password salts, remember-me
    sidekiq     payload ↔ job → commands   (what lies in Redis)
    activejob   job ↔ job of Rails' own    (what such a payload wraps)

Invariants:

- Pure. No network, no database, no clock, no chance: moments, nonces, pads and job ids are parameters.
- What an attacker can send is data. Every reader is bounded, instantiates nothing, and fails with one
  exception family (`errors.WireFormatError`), whose `code` is stable and fit to be a metric's label. A
  caller at the edge turns it into "no session"; it is never a crash.
- What Rails wrote comes back byte for byte: reading a value and writing it again gives the same bytes, string
  encodings and shared objects included (`marshal` names the one exception).

The formats are those of Rails 8.0 with the defaults of Rails 6.0: SHA-1 key derivation, AES-256-GCM, Marshal.
"""
