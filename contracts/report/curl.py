# SPDX-License-Identifier: AGPL-3.0-or-later
"""A sample's request as a command to repeat it: against any side, with one's own secrets."""

from __future__ import annotations

import shlex

from contracts.report.values import clean
from proxy.experiment.evidence import Sample

_LEFT_OUT = {
    "accept-encoding", "connection", "content-length", "cookie", "host", "if-modified-since", "if-none-match",
    "keep-alive", "te", "traceparent", "transfer-encoding", "upgrade", "user-agent", "via", "x-csrf-token",
    "x-real-ip", "x-request-id",
}  # fmt: skip
"""What curl sends by itself, what belongs to one connection, and what would change the answer."""
_LEFT_OUT_BEGIN = ("sec-", "x-forwarded-", "x-banyan-", "forwarded")
_KEYS = {"authorization": "BANYAN_AUTHORIZATION", "x-api-key": "BANYAN_API_KEY"}


def repeat(sample: Sample) -> str:
    """A line for a shell. `$BANYAN_URL` is the side to ask; `$BANYAN_COOKIE` and the like stand for secrets."""
    words = ["curl -sS -i"]
    if sample.method == "HEAD":
        words.append("--head")
    elif sample.method != "GET":
        words.append(f"-X {shlex.quote(clean(sample.method))}")
    names = {name.lower() for name, _ in sample.headers}
    if "cookie" in names or sample.role == "signed_in":
        words.append('-H "Cookie: $BANYAN_COOKIE"')
    for name, value in sample.headers:
        lowered = name.lower()
        if lowered in _KEYS:
            words.append(f'-H "{name}: ${_KEYS[lowered]}"')
        elif lowered not in _LEFT_OUT and not lowered.startswith(_LEFT_OUT_BEGIN):
            words.append(f"-H {shlex.quote(clean(f'{name}: {value}'))}")
    words.append(f'"$BANYAN_URL"{shlex.quote(clean(sample.target))}')
    return " ".join(words)
