# SPDX-License-Identifier: AGPL-3.0-or-later
"""Types of the compiled `send`."""

def send(descriptor: int, data: bytes) -> int: ...
