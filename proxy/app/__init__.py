# SPDX-License-Identifier: AGPL-3.0-or-later
"""The edge as processes: one parent, one or more workers, one that compares.

    parent   reads and compiles routing.yaml, serves the admin port (aiohttp), checks health, sums and renders metrics,
             watches files and signals, starts workers and replaces dead ones. It carries no traffic.
    worker   carries traffic (proxy.dataplane) and nothing else: no YAML, no rendering, no HTTP of its own.
    mirror   compares while users are served: reads what workers hand over on a unix socket (lifting →
             experiment.queue), asks the other side, keeps the evidence. It runs in idle time; nothing waits for it.

They speak over one socket pair per process (`control`): tables, health and orders go down, counts come up. When the
parent is gone a worker drains and ends; when a worker is gone the parent starts another on the same listening sockets.
A whole edge is followed by the next in the same way (`handover`): the sockets go over, then the old one drains.
"""
