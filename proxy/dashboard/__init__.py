# SPDX-License-Identifier: AGPL-3.0-or-later
"""The dashboard: what people see of the rollouts, and where they hold, confirm, take back or kill one.

    Source (port) ─→ readmodel ─┬─→ pages  HTML, rendered on the server; charts are SVG made here
                                └─→ JSON   the same data at the same address with .json

    browser ── form with CSRF token ──→ actions ─→ Source.act ─→ journal
    browser ←─ event stream: "something changed" ── pages asks again and swaps what differs

Invariants:
- Reading works without JavaScript; a script only keeps the page fresh. Nothing is loaded from elsewhere.
- Every page has its JSON twin, made of the same struct.
- Nothing is told by colour alone: sides differ by dash and word, verdicts by sign and word.
- An action needs a known operator and a token of this page; a refused one is noted with what was wrong.

Vocabulary: *old* and *new* are the sides; a *unit* is what moves together (a bundle, or a group alone).
"""
