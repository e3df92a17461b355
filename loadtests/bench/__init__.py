# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the edge costs beside other proxies, in one run: `make bench`, or `python -m loadtests.bench`.

A *subject* is a proxy in front of the *origin*: the edge (pure Python, and with its compiled parts where they are
built), nginx, HAProxy, an aiohttp and a Node proxy. A *case* is one kind of work; a *round* gives every subject the
same case, one after the other, so that what disturbs the machine disturbs all. A *figure* is what one subject showed
in one round; a *row* of the result is a figure's minimum, median and maximum over the rounds. Ratios are to nginx in
the same round.

    workload    the requests: recorded paths, heads as browsers send them, session cookies as Rails makes them
    origin      the backend in Python (WebSockets, large bodies, and everything where there is no nginx)
    configs     what nginx and HAProxy are told, as origin and as subjects
    subjects    starts each proxy on free ports in a temporary folder
    generator   a client in plain sockets: closed loop, open loop, idle connections
    transfer    large bodies; tunnel: WebSockets; wrk: Debian's wrk, for throughput
    cases       the kinds of work; run: rounds and progress; compare, stats, report: pure

Invariants: the subject has core 0 for itself, origin and client share core 1. All write a log line for each request.
Every body is checked (by wrk: counted), every error is reported and makes the run fail. CPU time is the kernel's own
count of nanoseconds (/proc/PID/task/*/schedstat) of the processes that carry traffic.
"""
