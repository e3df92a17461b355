# SPDX-License-Identifier: AGPL-3.0-or-later
"""The experiment: the same question to both sides, and what their answers have in common.

1. sample     a served exchange is chosen, if it may be repeated and the other side's budget allows it (safety, budget)
2. lift       after the user's answer has left, the data plane hands it over a bounded socket, or drops and counts
3. ask        a process of its own repeats the request to the other side (observation)
4. compare    facts first, by pointer (diff); then the rules (rules, judge); then an outcome (outcome)
5. redact     before anything is kept: no secret and no person in a sample (redact)
6. keep       counts, findings and a few samples of each, in PostgreSQL (tally, evidence, store)
7. learn      what differs between two answers of the old side itself is noise (noise)

The user's answer never waits for any of it, fails with it, or shares a stream with it.

Vocabulary: *control* is what the side answered that is the contract (the old side), *candidate* what the other
answered, whoever of them served the user. A *pair* is both with their request. An *outcome* is the closed verdict on a
pair; a *finding* is one difference that counts, its *fingerprint* the same in every run.
"""
