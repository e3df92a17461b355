# SPDX-License-Identifier: AGPL-3.0-or-later
"""The edge: it stands in front of the legacy application and decides, request by request, who answers.

The life of a request:

1. accept     a worker's listening socket gives a `ClientConnection` (dataplane.client)
2. scan       its head is looked at once, strictly; what two servers could read differently is refused (dataplane.scan)
3. match      the route that Rails would choose, from the running table (routing.match)
4. decide     kill switch, guards, pins, health, then the user's bucket: the old side or the new (routing.split)
5. lease      a connection to that side from its pool, or a place in line (dataplane.pool)
6. relay      head and body go there, the answer comes back, byte for byte, each side held to the other's pace
7. complete   the connection goes back to its pool; the client's next request may begin
8. account    counted by route and side, logged with generation and reason (telemetry)

Vocabulary: a *backend* is one of the sides (legacy, python …); a *route* is a row of the catalogue; a *group* is the
routes that move together; a *subject* is who a request belongs to, its *bucket* where the subject stands between 0 and
9,999; a *generation* is one configuration as it runs. An *exchange* is a request with its answer; a *refusal* is what
the edge says to bytes that are no request; a *failure* is how it ends an exchange that a side let down.

Layers, each knowing only those below: app → dataplane → routing → config → telemetry → model.
"""

from proxy import compiled

compiled.install()
