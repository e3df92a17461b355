# SPDX-License-Identifier: AGPL-3.0-or-later
"""`make demo`: the whole of Banyan on one machine, under recorded traffic, every answer compared with its recording.

Flow
    1. `stack` starts everything on free loopback ports: PostgreSQL with the sample database, Valkey, the recorded
       legacy, the Python services, and the edge in front of both, with the routing file that operators edit.
       Tests use the same launcher.
    2. `crowd` lets people visit: the requests that were recorded, in the proportions and with the pauses of the
       recorded journeys, sped up. Each visitor is somebody with a session, or a new anonymous one with a cookie
       jar. `client` is their connection to the edge.
    3. `judge` says of each answer whether it is the edge's own (an error here), differs from the recording (a
       mismatch), or is what the recording says; `tally` counts.
    4. `admin` asks the edge what it runs and which side answered; `view` (a terminal) or `plain` (a pipe) shows it.
    5. `report` sums up, and decides about the exit code.

Vocabulary
    *asked* is the share that the routing file asks for, *seen* the share of requests that went to the new side.
    A group is *moving* when its share is above 0.
"""
