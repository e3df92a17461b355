# SPDX-License-Identifier: AGPL-3.0-or-later
"""The same bytes through the edge, nginx and HAProxy: who lets what through, and what the application behind sees.

    probes ──▶ edge ────▶ origin      each proxy has an origin of its own, which writes down every request it is sent;
           ──▶ nginx ───▶ origin      a probe is sent, the sending side closed, and what came back and arrived compared
           ──▶ HAProxy ─▶ origin

A *probe* is a request, valid or broken, followed by a second, plain one, and has a *class*: what is unusual about it.
A proxy *passes* a probe when the origin sees the whole of its request, else it *stops* it. Two things need a reason in
`reasons.yaml`, else the run fails:

- the edge passes what every other proxy stops;
- all pass, the others agree on what they pass (how many requests, which method, target, host and body), and the edge
  passes something else.

Where the edge stops what every other one passes, it is stricter; that is listed with its reason, too.
"""
