# SPDX-License-Identifier: AGPL-3.0-or-later
"""`make demo`: the whole of Banyan on one machine, under recorded traffic, every answer compared with its recording.

Flow
    1. `run` is the shell. It has `stack` start everything on free loopback ports: PostgreSQL with the sample
       database, Valkey, and as `programs` of their own the recorded legacy, the Python services, and the edge in
       front of both, with the `routing_file` that operators edit. Tests use the same launcher.
    2. `crowd` lets people visit: the requests that were recorded, in the proportions and with the pauses of the
       recorded journeys, sped up. Each visitor is somebody with a session, or a new anonymous one with a cookie
       jar. `client` is their connection to the edge.
    3. `judge` says of each answer whether it is the edge's own (an error here), differs from the recording (a
       mismatch), or is what the recording says; `tally` counts.
    4. `observer` asks the edge's `admin` port what runs, what was refused and which side answered, and keeps `live`
       current; `view` shows it, on a terminal or line by line.
    5. `report` sums up, and decides about the exit code.

Invariants
    * Nothing that was started outlives the demo, however it ends.
    * No answer goes unjudged, and nothing is asked that has no recording.

Vocabulary
    *asked* is the share that the routing file asks for, *seen* the share of requests that went to the new side.
    A group is *moving* when its share is above 0.
"""
