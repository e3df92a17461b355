# SPDX-License-Identifier: AGPL-3.0-or-later
"""The scanner contract, and its implementation in plain Python.

A head is looked at once. The scanner validates it strictly, finds its framing, drops what belongs to one hop
and keeps every other header line as the bytes that came in. Bodies are never looked at here (see `framing`).

    scan_request(data, limits)  -> RequestHead | None     None: the head is not complete yet
    scan_response(data, method) -> ResponseHead | None

Both raise `Malformed` with a stable code; what is refused and why follows RFC 9112 and the request-smuggling
literature: whatever two servers might read differently is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

from proxy.dataplane.headers import (
    CHANGING,
    COOKIE,
    FORWARDING,
    HOP,
    HOP_BY_HOP,
    HOST,
    LENGTH,
    NEVER_NOMINATED,
    PLAIN,
    SPOKEN_FOR,
    TOKEN,
    Names,
)
from proxy.dataplane.heads import CHUNKED, RequestHead, ResponseHead
from proxy.model import HeadLimits, Malformed

# What cannot appear anywhere in a head. CR and LF are counted separately; HTAB is allowed in values.
_CONTROLS: Final = bytes(c for c in range(32) if c not in (9, 10, 13)) + b"\x7f"
_CONTROLS_AND_BREAKS: Final = _CONTROLS + b"\r\n"
_TARGET_BAD: Final = re.compile(rb"[\x00-\x20\x7f#]")
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?\Z")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}\Z")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n]*)?\Z")
_OWN_VERSION: Final = b"HTTP/1.1"
_VERSION: Final = re.compile(rb"HTTP/[0-9]\.[0-9]\Z")

_LINES_KEPT: Final = 4096
_LINE_BYTES: Final = 256  # longer ones (cookies, referers) hardly come again to the byte


class Scanner:
    """Scans heads of at most `limits`. `noted`: lower-case names of the plain headers whose values will be asked for.

    A scanner remembers lines and names, both bounded: what a client invents is judged each time.
    """

    def __init__(self, limits: HeadLimits, noted: Container[bytes] = frozenset()) -> None:
        self._limits = limits
        self._noted = noted
        self._names = Names()
        self._known: set[bytes] = set()

    def request(self, data: bytes) -> RequestHead | None:
        """Scan the request head at the start of `data`; None when it is not complete. Raises Malformed."""
        end = self._end(data)
        if end < 0:
            return None
        lines = self._lines(data[:end])
        head = _request_line(lines[0], end + 4, self._limits)
        del lines[0]
        known = self._known
        kept = [line for line in lines if line in known or self._keeps(head, line)]
        _frame_request(head)
        kept = _host(head, kept)
        if head.connection:
            kept = _connection(head, kept)
        head.block = _block(kept)
        return head

    def response(self, data: bytes, method: bytes) -> ResponseHead | None:
        """Scan the head at the start of `data` of the answer to a `method` request; None when it is not complete.

        Raises Malformed.
        """
        end = self._end(data)
        if end < 0:
            return None
        lines = self._lines(data[:end])
        status = _STATUS_LINE.match(lines[0])
        if status is None:
            raise Malformed("status-line", "the status line is malformed")
        # Towards the client it is the edge that speaks, and what it says of the body's end may be HTTP/1.1 only.
        own_line = _OWN_VERSION + lines[0][len(_OWN_VERSION) :]
        head = ResponseHead(own_line, int(status[2]), int(status[1]), end + 4)
        del lines[0]
        known = self._known
        kept = [line for line in lines if line in known or self._keeps_of_answer(head, line)]
        _frame_response(head, method)
        if head.connection:
            kept = _connection_of_answer(head, kept)
        head.block = _block(kept)
        return head

    def _end(self, data: bytes) -> int:
        """Where the blank line begins; -1 when it has not come yet and still may."""
        end = data.find(b"\r\n\r\n", 0, self._limits.head_bytes + 4)
        if end < 0:
            _refuse_hopeless(data, self._limits)
        return end

    def _lines(self, head: bytes) -> list[bytes]:
        lines = head.split(b"\r\n")
        breaks = len(lines) - 1
        if len(head.translate(None, _CONTROLS_AND_BREAKS)) != len(head) - 2 * breaks:
            _refuse_characters(head)
        if breaks > self._limits.header_count:
            raise Malformed(
                "too-many-headers", f"the head has more than {self._limits.header_count} headers", 431
            )
        return lines

    def _judge(self, line: bytes) -> tuple[bytes, int, bytes]:
        """A header line's (lower-case name, kind, value)."""
        name, colon, value = line.partition(b":")
        if not colon:
            raise Malformed("header-colon", "a header line has no colon")
        lower, kind = self._names[name]
        return lower, kind, value.strip(b" \t")

    def _remember(self, line: bytes) -> None:
        if len(line) <= _LINE_BYTES:
            if len(self._known) >= _LINES_KEPT:
                self._known.clear()  # the usual ones are back at once
            self._known.add(line)

    def _keeps(self, head: RequestHead, line: bytes) -> bool:
        """Take note of a request's header line. False: it is not forwarded."""
        lower, kind, value = self._judge(line)
        fields = head.fields
        if kind == PLAIN:
            if lower in self._noted:
                fields.setdefault(lower, value)
            elif lower not in CHANGING:
                self._remember(line)
            return True
        if kind == COOKIE:
            before = fields.get(lower)
            fields[lower] = value if before is None else before + b"; " + value
            return True
        if kind == HOST:
            if lower in fields:
                raise Malformed("host", "there is more than one Host")
            fields[lower] = value
            return True
        if kind == LENGTH:
            _note_length(head, value)
            return True
        if kind == HOP:
            _note_hop(head, lower, value)
            if lower == b"upgrade":
                fields[lower] = value
        elif kind == FORWARDING:
            before = head.forwarding.get(lower)
            head.forwarding[lower] = value if before is None else before + b", " + value
        return False

    def _keeps_of_answer(self, head: ResponseHead, line: bytes) -> bool:
        """Take note of an answer's header line. False: it is not passed on."""
        lower, kind, value = self._judge(line)
        if kind == HOP and lower != b"proxy-authenticate":
            _note_hop(head, lower, value)
            if lower == b"upgrade":
                head.upgrade = value.lower()
            return False
        if kind == LENGTH:
            _note_length(head, value)
        elif lower in self._noted:
            head.fields.setdefault(lower, value)
        elif lower not in CHANGING:
            self._remember(line)
        return True


def _refuse_characters(head: bytes) -> None:
    if len(head.translate(None, _CONTROLS)) != len(head):
        raise Malformed("control-character", "the head has a control character")
    raise Malformed("bare-line-break", "the head has a CR or LF that is not part of a CRLF")


def _refuse_hopeless(data: bytes, limits: HeadLimits) -> None:
    """Refuse an unfinished head as soon as no further byte can make it good."""
    first = data.find(b"\r\n")
    if (len(data) if first < 0 else first) > limits.target_bytes + 64:
        raise Malformed(
            "target-too-long", f"the request target is longer than {limits.target_bytes} bytes", 414
        )
    if len(data) > limits.head_bytes:
        raise Malformed("head-too-large", f"the head is larger than {limits.head_bytes} bytes", 431)
    if data.count(b"\n") != data.count(b"\r\n") or data.count(b"\r", 0, -1) > data.count(b"\r\n"):
        raise Malformed("bare-line-break", "the head has a CR or LF that is not part of a CRLF")
    if b"\0" in data:
        raise Malformed("control-character", "the head has a control character")


def _note_hop(head: RequestHead | ResponseHead, lower: bytes, value: bytes) -> None:
    if lower == b"connection":
        head.connection = head.connection + b"," + value.lower() if head.connection else value.lower()
    elif lower == b"transfer-encoding":
        if head.encoding:
            raise Malformed("transfer-encoding", "there is more than one Transfer-Encoding")
        head.encoding = value.lower() or b"?"


def _note_length(head: RequestHead | ResponseHead, value: bytes) -> None:
    if b"content-length" in head.fields or not _LENGTH.match(value):
        raise Malformed("content-length", "Content-Length is not one plain number")
    head.fields[b"content-length"] = value


def _request_line(line: bytes, size: int, limits: HeadLimits) -> RequestHead:
    parts = line.split(b" ")
    if len(parts) != 3 or not TOKEN.match(parts[0]):
        raise Malformed("request-line", "the request line is not METHOD TARGET VERSION")
    method, target, version = parts
    if version == b"HTTP/1.1":
        minor = 1
    elif version == b"HTTP/1.0":
        minor = 0
    elif _VERSION.match(version) and version[5:6] != b"1":
        raise Malformed("http-version", "only HTTP/1.0 and HTTP/1.1 are spoken here", 505)
    else:
        raise Malformed("http-version", "the HTTP version is malformed")
    if len(target) > limits.target_bytes:
        raise Malformed(
            "target-too-long", f"the request target is longer than {limits.target_bytes} bytes", 414
        )
    if _TARGET_BAD.search(target):
        raise Malformed("target", "the request target has a character that is not allowed")
    if method == b"CONNECT":
        raise Malformed("connect", "CONNECT is not served here", 405)
    head = RequestHead(method, target, minor, size)
    if target[:1] != b"/":
        _other_form(head)
    return head


def _other_form(head: RequestHead) -> None:
    """Absolute form becomes origin form, its authority the host (RFC 9112 §3.2.2); `*` is for OPTIONS alone."""
    if head.target == b"*" and head.method == b"OPTIONS":
        return
    scheme, separator, rest = head.target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        raise Malformed("target", "the request target is neither a path nor an absolute address")
    cut = len(rest)
    for mark in (b"/", b"?"):
        at = rest.find(mark)
        if 0 <= at < cut:
            cut = at
    head.host = rest[:cut]
    if not head.host or b"@" in head.host or not _HOST.match(head.host):
        raise Malformed("host", "the request target has no valid host")
    origin = rest[cut:]
    head.target = origin if origin[:1] == b"/" else b"/" + origin
    head.path, _, head.query = head.target.partition(b"?")


def _frame_request(head: RequestHead) -> None:
    length = head.fields.get(b"content-length")
    if head.encoding:
        if length is not None:
            raise Malformed("length-and-chunked", "there are both Content-Length and Transfer-Encoding")
        if head.minor == 0:
            raise Malformed("transfer-encoding", "Transfer-Encoding is not part of HTTP/1.0")
        if head.encoding != b"chunked":
            raise Malformed("transfer-encoding", "the only Transfer-Encoding understood here is chunked")
        head.length = CHUNKED
    elif length is not None:
        head.length = int(length)


def _block(lines: list[bytes]) -> bytes:
    lines.append(b"")
    return b"\r\n".join(lines)


def _without(lines: list[bytes], names: Container[bytes]) -> list[bytes]:
    return [line for line in lines if line.partition(b":")[0].lower() not in names]


def _host(head: RequestHead, lines: list[bytes]) -> list[bytes]:
    host = head.fields.get(b"host")
    if host is None:
        if head.minor == 1:
            raise Malformed("host", "HTTP/1.1 requires a Host")
    elif not _HOST.match(host):
        raise Malformed("host", "Host is malformed")
    if head.host:  # the target named it, and that is what counts
        return [b"Host: " + head.host, *_without(lines, (b"host",))]
    head.host = host or b""
    return lines


def _connection(head: RequestHead, lines: list[bytes]) -> list[bytes]:
    """Honour `Connection`: persistence, an upgrade to WebSocket, nominated headers."""
    options = {option.strip(b" \t") for option in head.connection.split(b",")}
    if b"close" in options:
        head.keep_alive = False
    elif b"keep-alive" in options:
        head.keep_alive = True
    if b"upgrade" in options and head.minor == 1:
        wanted = head.fields.get(b"upgrade", b"")
        head.upgrade = wanted.lower() == b"websocket" and head.method == b"GET" and head.length == 0
    nominated = {
        option
        for option in options - HOP_BY_HOP - NEVER_NOMINATED - {b""}
        if not option.startswith(SPOKEN_FOR) and not option.startswith(b"sec-websocket-")
    }
    for name in nominated:
        head.fields.pop(name, None)
    return _without(lines, nominated) if nominated else lines


def _connection_of_answer(head: ResponseHead, lines: list[bytes]) -> list[bytes]:
    options = {option.strip(b" \t") for option in head.connection.split(b",")}
    head.keep_alive = b"close" not in options and (head.minor == 1 or b"keep-alive" in options)
    nominated = options - HOP_BY_HOP - NEVER_NOMINATED - {b""}
    return _without(lines, nominated) if nominated else lines


def _frame_response(head: ResponseHead, method: bytes) -> None:
    length = head.fields.get(b"content-length")
    if head.encoding:
        if length is not None:
            raise Malformed("length-and-chunked", "there are both Content-Length and Transfer-Encoding")
        if head.encoding != b"chunked" or head.minor == 0:
            raise Malformed(
                "transfer-encoding", "the only Transfer-Encoding understood here is chunked, in HTTP/1.1"
            )
        head.length = CHUNKED
    elif length is not None:
        head.length = int(length)
    if method == b"HEAD" or head.status < 200 or head.status in (204, 304):
        head.length = 0
