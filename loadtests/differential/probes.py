# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is sent: known vectors, ordinary requests, and requests with one thing odd in one place. Pure, by a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.proxytest.vectors import ACCEPTED, REFUSED, post

SECOND: Final = b"GET /second HTTP/1.1\r\nHost: second.test\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Probe:
    """One connection's bytes. `kind`: "group: what is odd"."""

    kind: str
    data: bytes

    @property
    def group(self) -> str:
        """The first part of its class."""
        return self.kind.partition(":")[0]

    @property
    def sent(self) -> bytes:
        """With the second request behind it."""
        return self.data + SECOND


def make_probes(count: int, seed: int) -> list[Probe]:
    """So many probes: first every known vector once, then drawn ones."""
    known = [Probe(kind, data) for kind, data in REFUSED.items()]
    known += [Probe(f"plain: {name}", post(line, body=body)) for name, (line, body, _) in ACCEPTED.items()]
    chance = Random(seed)
    drawn = [_draw(chance) for _ in range(count - len(known))]
    return [*known, *drawn][:count]


_METHODS: Final = (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")
_TARGETS: Final = (b"/", b"/a/b?c=d", b"//a//b", b"/a%2Fb;c", b"/a/../b", b"/?q=a+b%20c", b"/" + b"x" * 3000)
_LINES: Final = (
    b"Accept: */*",
    b"Accept-Encoding: gzip",
    b"Cookie: a=b; c=d",
    b"User-Agent: differential",
    b"X-Empty:",
    b"Connection: keep-alive",
    b"Content-Type: text/plain",
    b"Referer: http://a.test/" + b"r" * 500,
)
_ODD: Final[Mapping[str, tuple[bytes, ...]]] = {
    "NUL": (b"\x00",),
    "control": (b"\x01", b"\x07", b"\x1b", b"\x7f", b"\x0b", b"\x0c"),
    "bare CR": (b"\r",),
    "bare LF": (b"\n",),
    "CRLF": (b"\r\n",),
    "fold": (b"\r\n ", b"\r\n\t"),
    "space": (b" ", b"  "),
    "tab": (b"\t",),
    "high byte": (b"\x80", b"\xff", b"\xe9"),
    "UTF-8": ("é".encode(), "ı".encode(), "٣".encode()),
    "separator": (b"(", b")", b"<", b">", b"@", b"[", b"]", b"{", b"}", b'"', b"\\", b"="),
    "colon": (b":",),
    "comma": (b",",),
    "semicolon": (b";",),
    "slash": (b"/",),
    "question mark": (b"?",),
    "hash": (b"#",),
    "percent": (b"%", b"%0", b"%zz"),
    "encoded break": (b"%0d%0a", b"%00", b"%20"),
    "underscore": (b"_",),
    "digit": (b"0", b"7"),
    "letter": (b"x", b"Q"),
    "nothing left": (b"",),
}


@dataclass(slots=True)
class _Draft:
    """A request in parts, before something is made odd about it."""

    method: bytes
    target: bytes
    version: bytes
    host: bytes
    lines: list[bytes]
    framing: bytes
    body: bytes
    line_end: bytes = b"\r\n"

    def data(self) -> bytes:
        lines = [self.method + b" " + self.target + b" " + self.version, b"Host: " + self.host, *self.lines]
        if self.framing:
            lines.append(self.framing)
        return self.line_end.join([*lines, b"", self.body])


def _draft(chance: Random) -> _Draft:
    method = chance.choice(_METHODS)
    framing, body = b"", b""
    if method in (b"POST", b"PUT", b"PATCH") or chance.random() < 0.1:
        content = chance.randbytes(chance.choice((0, 1, 20, 2000))).hex().encode()
        if chance.random() < 0.5:
            framing, body = b"Content-Length: %d" % len(content), content
        else:
            framing = b"Transfer-Encoding: chunked"
            half = len(content) // 2
            for piece in (content[:half], content[half:]):
                body += b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
            body += b"0\r\n\r\n"
    lines = chance.sample(_LINES, chance.randint(0, 4))
    return _Draft(method, chance.choice(_TARGETS), b"HTTP/1.1", b"a.test", lines, framing, body)


def _draw(chance: Random) -> Probe:
    draft = _draft(chance)
    if chance.random() < 0.25:
        return Probe(f"ordinary: {draft.method.decode()}", draft.data())
    place = chance.choice(list(_PLACES))
    what = _PLACES[place](chance, draft)
    return Probe(f"{place}: {what}", draft.data())


def _odd(chance: Random, text: bytes, *, ends: bool = True) -> tuple[str, bytes]:
    """`text` with something odd put into it (or all of it taken away), and the name of that."""
    name = chance.choice(list(_ODD))
    piece = chance.choice(_ODD[name])
    if not piece:
        return name, b""
    where = chance.choice(("before", "within", "behind") if ends else ("within",))
    at = {"before": 0, "behind": len(text)}.get(where, len(text) // 2)
    return f"{name} {where}", text[:at] + piece + text[at:]


def _in_method(chance: Random, draft: _Draft) -> str:
    if chance.random() < 0.3:
        draft.method = chance.choice(
            (b"get", b"Get", b"FOO", b"M-SEARCH", b"TRACE", b"CONNECT", b"PRI", b"X" * 40)
        )
        return f"{draft.method[:8].decode()}"
    what, draft.method = _odd(chance, draft.method)
    return what


def _in_target(chance: Random, draft: _Draft) -> str:
    forms = {
        "absolute": b"http://b.test/x",
        "absolute without path": b"http://b.test",
        "absolute with query only": b"http://b.test?x",
        "absolute with user": b"http://u@b.test/",
        "absolute https": b"https://b.test/x",
        "absolute without host": b"http:///x",
        "other scheme": b"ftp://b.test/x",
        "asterisk": b"*",
        "authority": b"b.test:80",
        "relative": b"x/y",
        "backslash": b"\\x",
        "dots above the root": b"/../../x",
        "long": b"/" + b"y" * 12_000,
    }
    if chance.random() < 0.4:
        name = chance.choice(list(forms))
        draft.target = forms[name]
        return name
    what, draft.target = _odd(chance, draft.target)
    return what


def _in_version(chance: Random, draft: _Draft) -> str:
    if chance.random() < 0.6:
        versions = (
            b"HTTP/1.0",
            b"HTTP/0.9",
            b"HTTP/1.2",
            b"HTTP/1.9",
            b"HTTP/2.0",
            b"HTTP/9.9",
            b"http/1.1",
            b"HTTP/1",
            b"",
        )
        draft.version = chance.choice(versions)
        body = " with a body" if draft.version == b"HTTP/1.0" and draft.framing else ""
        return f"{draft.version.decode() or 'none'}{body}"
    what, draft.version = _odd(chance, draft.version)
    return what


def _in_host(chance: Random, draft: _Draft) -> str:
    hosts = (
        b"",
        b"a.test:80",
        b"a.test:",
        b"a.test:99999",
        b"[::1]",
        b"[::1",
        b"a..test",
        b"-a",
        b"a_b.test",
        b"1.2.3.4",
    )
    if chance.random() < 0.3:
        draft.host = chance.choice(hosts)
        return draft.host.decode() or "empty"
    what, draft.host = _odd(chance, draft.host)
    return what


def _in_name(chance: Random, draft: _Draft) -> str:
    what, name = _odd(chance, b"X-Odd")
    draft.lines.insert(chance.randint(0, len(draft.lines)), name + b": v")
    return what


def _in_value(chance: Random, draft: _Draft) -> str:
    what, value = _odd(chance, b"some value")
    draft.lines.insert(chance.randint(0, len(draft.lines)), b"X-Odd: " + value)
    return what


def _in_framing(chance: Random, draft: _Draft) -> str:
    if not draft.framing:
        draft.framing, draft.body = b"Content-Length: 4", b"abcd"
    name, _, value = draft.framing.partition(b": ")
    which = name.decode()
    if chance.random() < 0.3:
        what, odd = _odd(chance, name)
        draft.framing = odd + b": " + value
        return f"{which}, name, {what}"
    what, odd = _odd(chance, value)
    draft.framing = name + b": " + odd
    return f"{which}, value, {what}"


def _twice(chance: Random, draft: _Draft) -> str:
    again = chance.choice(
        (
            b"Content-Length: 0",
            b"Content-Length: 4",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: identity",
            b"Host: b",
        )
    )
    first = draft.framing.partition(b":")[0].decode() or "no framing"
    draft.lines.insert(chance.randint(0, len(draft.lines)), again)
    return f"{first} and {again.decode()}"


def _in_chunks(chance: Random, draft: _Draft) -> str:
    draft.framing = b"Transfer-Encoding: chunked"
    part = chance.choice(("size", "extension", "end of data", "last chunk", "trailer"))
    what, odd = _odd(chance, {"size": b"4", "extension": b"a=b", "trailer": b"A: b"}.get(part, b"\r\n"))
    size = {"size": odd, "extension": b"4;" + odd}.get(part, b"4")
    end = odd if part == "end of data" else b"\r\n"
    last = b"0" + odd if part == "last chunk" else b"0\r\n"
    trailer = odd + b"\r\n" if part == "trailer" else b""
    draft.body = size + b"\r\nabcd" + end + last + trailer + b"\r\n"
    return f"{part}, {what}"


def _in_line_ends(chance: Random, draft: _Draft) -> str:
    draft.line_end = chance.choice((b"\n", b"\r", b"\n\r", b"\r\r\n", b" \r\n", b"\r\n "))
    return ascii(draft.line_end.decode()).strip("'")


def _in_connection(chance: Random, draft: _Draft) -> str:
    options = (
        "close",
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "X-A",
        "keep-alive, close",
        "Upgrade",
        "TE",
        ",",
    )
    option = chance.choice(options)
    draft.lines += [b"Connection: " + option.encode(), b"X-A: 1"]
    return option


def _expecting(chance: Random, draft: _Draft) -> str:
    value = chance.choice(("100-continue", "100-Continue", "101-continue", "", "100-continue, x"))
    draft.lines.append(b"Expect: " + value.encode())
    return value or "nothing"


def _cut_short(chance: Random, draft: _Draft) -> str:
    """The second request becomes the rest of the first."""
    if draft.framing.startswith(b"Content-Length"):
        draft.framing = b"Content-Length: %d" % (len(draft.body) + chance.choice((1, 20, 10_000)))
        return "length longer than the body"
    draft.body = draft.body[: len(draft.body) // 2]
    return "body" if draft.body else "no body"


_PLACES: Final[Mapping[str, Callable[[Random, _Draft], str]]] = {
    "method": _in_method,
    "target": _in_target,
    "version": _in_version,
    "host": _in_host,
    "header name": _in_name,
    "header value": _in_value,
    "framing": _in_framing,
    "twice": _twice,
    "chunk": _in_chunks,
    "line ends": _in_line_ends,
    "connection": _in_connection,
    "expect": _expecting,
    "cut short": _cut_short,
}
