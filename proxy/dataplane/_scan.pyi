# SPDX-License-Identifier: AGPL-3.0-or-later
"""Types of the compiled scanner; its heads have the attributes of those in `heads`."""

from proxy.dataplane.heads import RequestHead, ResponseHead
from proxy.model import HeadLimits

class Scanner:
    def __init__(self, limits: HeadLimits, noted: frozenset[bytes] = ...) -> None: ...
    def request(self, data: bytes) -> RequestHead | None: ...
    def response(self, data: bytes, method: bytes) -> ResponseHead | None: ...
