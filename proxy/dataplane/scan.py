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
from typing import Final

from proxy.dataplane.heads import CHUNKED, RequestHead, ResponseHead
from proxy.model import HeadLimits, Malformed

# What cannot appear anywhere in a head. CR and LF are counted separately; HTAB is allowed in values.
_CONTROLS: Final = bytes(c for c in range(32) if c not in (9, 10, 13)) + b"\x7f"
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_TARGET_BAD: Final = re.compile(rb"[\x00-\x20\x7f#]")
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])?(?::[0-9]{0,5})?\Z")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}\Z")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [^\r\n]*)?\Z")
_VERSION: Final = re.compile(rb"HTTP/[0-9]\.[0-9]\Z")

# Belongs to one connection (RFC 9110 §7.6.1): never forwarded.
_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
# `Connection` may not nominate these: dropping them would change what the request means or who sent it.
_NEVER_NOMINATED: Final = frozenset(
    {
        b"host",
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"cookie",
        b"set-cookie",
        b"authorization",
        b"forwarded",
        b"via",
        b"x-request-id",
        b"cache-control",
        b"close",
        b"keep-alive",
    }
)
# Read as if written with dashes by Rack: a client could speak for the edge through them.
_SPOKEN_FOR: Final = (b"x-forwarded-", b"x-banyan-")
_SPOKEN_FOR_NAMES: Final = frozenset(
    {b"forwarded", b"client-ip", b"x-client-ip", b"x-real-ip", b"x-request-id"}
)

# What the scanner does with a header, by name.
_PASS: Final = 0
_HOP: Final = 1
_HOST_LINE: Final = 2
_LENGTH_LINE: Final = 3
_COOKIE: Final = 4
_FORWARDING: Final = 5
_DROP: Final = 6
_EXPECT: Final = 7

_NAMES_KEPT: Final = 4096


class _Names(dict[bytes, tuple[bytes, int]]):
    """Raw header name → (lower-case name, action). Names repeat from request to request, so each is judged once.

    Bounded: a client that invents names fills the table, later ones are judged each time.
    """

    def __missing__(self, name: bytes) -> tuple[bytes, int]:
        if not _TOKEN.match(name):
            raise Malformed("header-name", "a header's name is empty or has a character that is not allowed")
        lower = name.lower()
        judged = (lower, _action(lower))
        if len(self) < _NAMES_KEPT:
            self[name] = judged
        return judged


def _action(lower: bytes) -> int:
    if lower in _HOP_BY_HOP:
        return _HOP
    if lower == b"host":
        return _HOST_LINE
    if lower == b"content-length":
        return _LENGTH_LINE
    if lower == b"cookie":
        return _COOKIE
    if lower == b"expect":
        return _EXPECT
    dashed = lower.replace(b"_", b"-")
    if dashed.startswith(b"x-banyan-"):
        return _DROP
    if dashed.startswith(_SPOKEN_FOR) or dashed in _SPOKEN_FOR_NAMES:
        return _FORWARDING if dashed == lower else _DROP
    if dashed != lower and (dashed in _HOP_BY_HOP or dashed in _NEVER_NOMINATED):
        return _DROP
    return _PASS


_names: Final = _Names()


def _complete_head(data: bytes, limits: HeadLimits) -> tuple[list[bytes], int] | None:
    """Cut `data` at the blank line: (lines, size), or None while it has not come yet."""
    end = data.find(b"\r\n\r\n", 0, limits.head_bytes + 4)
    if end < 0:
        _refuse_hopeless(data, limits)
        return None
    head = data[:end]
    if len(head.translate(None, _CONTROLS)) != end:
        raise Malformed("control-character", "the head has a control character")
    lines = head.split(b"\r\n")
    breaks = len(lines) - 1
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
        raise Malformed("bare-line-break", "the head has a CR or LF that is not part of a CRLF")
    if breaks > limits.header_count:
        raise Malformed("too-many-headers", f"the head has more than {limits.header_count} headers", 431)
    return lines, end + 4


def _refuse_hopeless(data: bytes, limits: HeadLimits) -> None:
    """Refuse an unfinished head as soon as no further byte can make it good."""
    first = data.find(b"\r\n")
    if first < 0 and len(data) > limits.target_bytes + 64:
        raise Malformed(
            "target-too-long", f"the request target is longer than {limits.target_bytes} bytes", 414
        )
    if len(data) > limits.head_bytes:
        raise Malformed("head-too-large", f"the head is larger than {limits.head_bytes} bytes", 431)
    if data.count(b"\n") != data.count(b"\r\n") or data.count(b"\r", 0, -1) > data.count(b"\r\n"):
        raise Malformed("bare-line-break", "the head has a CR or LF that is not part of a CRLF")
    if b"\0" in data:
        raise Malformed("control-character", "the head has a control character")


def scan_request(data: bytes, limits: HeadLimits) -> RequestHead | None:
    """Scan the request head at the start of `data`; None when it is not complete. Raises Malformed."""
    complete = _complete_head(data, limits)
    if complete is None:
        return None
    lines, size = complete
    head = _request_line(lines[0], size, limits)
    fields = head.fields
    kept = head.lines
    names = _names
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise Malformed("header-colon", "a header line has no colon")
        lower, action = names[name]
        value = value.strip(b" \t")
        if action == _PASS:
            kept.append(line)
            fields.setdefault(lower, value)
        elif action != _DROP:
            _note_request_header(head, line, lower, action, value)
    _frame_request(head)
    _host(head)
    if head.connection:
        _connection(head)
    return head


def _note_request_header(head: RequestHead, line: bytes, lower: bytes, action: int, value: bytes) -> None:
    """A header that means something to the edge itself."""
    fields = head.fields
    if action == _COOKIE:
        head.lines.append(line)
        before = fields.get(lower)
        fields[lower] = value if before is None else before + b"; " + value
    elif action == _FORWARDING:
        before = head.forwarding.get(lower)
        head.forwarding[lower] = value if before is None else before + b", " + value
        fields.setdefault(lower, value)
    elif action == _HOP:
        _note_hop(head, lower, value)
        if lower == b"upgrade":
            fields[lower] = value
    elif action == _HOST_LINE:
        if lower in fields:
            raise Malformed("host", "there is more than one Host")
        fields[lower] = value
        head.lines.append(b"Host: " + head.host if head.host else line)
    elif action == _LENGTH_LINE:
        _note_length(head, line, value)
    elif action == _EXPECT:
        head.expects_continue = value.lower() == b"100-continue"
        fields[lower] = value
        head.lines.append(line)


def _note_hop(head: RequestHead | ResponseHead, lower: bytes, value: bytes) -> None:
    if lower == b"connection":
        head.connection = head.connection + b"," + value.lower() if head.connection else value.lower()
    elif lower == b"transfer-encoding":
        if head.encoding:
            raise Malformed("transfer-encoding", "there is more than one Transfer-Encoding")
        head.encoding = value.lower() or b"?"


def _note_length(head: RequestHead | ResponseHead, line: bytes, value: bytes) -> None:
    if b"content-length" in head.fields or not _LENGTH.match(value):
        raise Malformed("content-length", "Content-Length is not one plain number")
    head.fields[b"content-length"] = value
    head.lines.append(line)


def _request_line(line: bytes, size: int, limits: HeadLimits) -> RequestHead:
    parts = line.split(b" ")
    if len(parts) != 3 or not _TOKEN.match(parts[0]):
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
    head = RequestHead(method, target, minor, size)
    if target[:1] != b"/":
        _other_form(head)
    return head


def _other_form(head: RequestHead) -> None:
    """Absolute form becomes origin form, its authority the host (RFC 9112 §3.2.2); `*` is for OPTIONS alone."""
    if head.target == b"*" and head.method == b"OPTIONS":
        return
    if head.method == b"CONNECT":
        raise Malformed("connect", "CONNECT is not served here", 405)
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


def _host(head: RequestHead) -> None:
    host = head.fields.get(b"host")
    if host is None:
        if head.minor == 1:
            raise Malformed("host", "HTTP/1.1 requires a Host")
    elif not _HOST.match(host):
        raise Malformed("host", "Host is malformed")
    if head.host and host is None:
        head.lines.insert(0, b"Host: " + head.host)
    head.host = head.host or host or b""
    head.fields[b"host"] = head.host


def _connection(head: RequestHead) -> None:
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
        for option in options - _HOP_BY_HOP - _NEVER_NOMINATED - {b""}
        if not option.startswith(_SPOKEN_FOR) and not option.startswith(b"sec-websocket-")
    }
    if nominated:
        head.lines = [line for line in head.lines if line.partition(b":")[0].lower() not in nominated]
        for name in nominated:
            head.fields.pop(name, None)


def scan_response(data: bytes, method: bytes, limits: HeadLimits) -> ResponseHead | None:
    """Scan the response head at the start of `data`, the answer to a `method` request. Raises Malformed."""
    complete = _complete_head(data, limits)
    if complete is None:
        return None
    lines, size = complete
    status = _STATUS_LINE.match(lines[0])
    if status is None:
        raise Malformed("status-line", "the status line is malformed")
    code = int(status[2])
    head = ResponseHead(lines[0], code, int(status[1]), size)
    fields = head.fields
    kept = head.lines
    names = _names
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise Malformed("header-colon", "a header line has no colon")
        lower, action = names[name]
        if action == _HOP and lower != b"proxy-authenticate":
            value = value.strip(b" \t")
            _note_hop(head, lower, value)
            if lower == b"upgrade":
                head.upgrade = value.lower()
        elif action == _LENGTH_LINE:
            _note_length(head, line, value.strip(b" \t"))
        else:
            kept.append(line)
            if lower == b"cache-control":
                fields[lower] = value
    _frame_response(head, method)
    if head.connection:
        options = {option.strip(b" \t") for option in head.connection.split(b",")}
        head.keep_alive = b"close" not in options and (head.minor == 1 or b"keep-alive" in options)
        if nominated := options - _HOP_BY_HOP - _NEVER_NOMINATED - {b""}:
            head.lines = [line for line in kept if line.partition(b":")[0].lower() not in nominated]
    return head


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
