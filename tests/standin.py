# SPDX-License-Identifier: AGPL-3.0-or-later
"""A stand-in for an application: does what a recorded write did, over a real PostgreSQL, Redis, SMTP and web hook.

It is told which cases will come, in order, and does all of a case at its first request. `spoil` may change a case
before it is done: what an implementation with a fault would do.
"""

from __future__ import annotations

import asyncio
import json
import smtplib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from email.header import Header
from typing import Any

import aiohttp
import asyncpg
import msgspec
from redis.asyncio import Redis

from contracts.corpus import JOB, Cookie, Response, TableEffect, Write, WriteStep
from contracts.notation import marker_of, render
from contracts.playback.http1 import RequestReader

Spoil = Callable[[Write], Write]


class StandIn:
    """Serves while `serving` lasts. `asked` counts requests."""

    def __init__(
        self,
        cases: Iterable[Write],
        *,
        database: str,
        redis: str,
        smtp_port: int,
        hooks: str,
        stored: Mapping[str, bytes],
        spoil: Spoil = lambda case: case,
        late: float = 0.0,
    ) -> None:
        """`hooks` is the base URL of the listener. With `late`, effects come so many seconds after the answer."""
        self._steps = iter([(case, number) for case in cases for number in range(len(case.steps))])
        self._database = database
        self._redis_url = redis
        self._smtp_port = smtp_port
        self._hooks = hooks
        self._stored = stored
        self._spoil = spoil
        self._late = late
        self._background: set[asyncio.Task[None]] = set()
        self.asked = 0
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[StandIn]:
        """Listen on a free port."""
        self._connection = await asyncpg.connect(self._database)
        self._redis = Redis.from_url(self._redis_url)
        self._http = aiohttp.ClientSession()
        self._columns = await self._hstores()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            async with server:
                yield self
        finally:
            await asyncio.gather(*self._background)
            await self._http.close()
            await self._redis.aclose()
            await self._connection.close()

    async def _hstores(self) -> set[tuple[str, str]]:
        await self._connection.execute("SET session_replication_role = replica")
        rows = await self._connection.fetch(
            "SELECT table_name, column_name FROM information_schema.columns WHERE udt_name = 'hstore'"
        )
        return {(row["table_name"], row["column_name"]) for row in rows}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests = RequestReader()
        try:
            while data := await reader.read(1 << 16):
                requests.feed(data)
                while requests.next() is not None:
                    writer.write(await self._answer())
        finally:
            writer.close()

    async def _answer(self) -> bytes:
        self.asked += 1
        recorded, number = next(self._steps)
        case = self._spoil(recorded)
        if number == 0:
            if self._late:
                task = asyncio.create_task(self._do_later(case))
                self._background.add(task)
                task.add_done_callback(self._background.discard)
            else:
                await self._do(case)
        return answer_of(case.steps[number], self._stored)

    async def _do_later(self, case: Write) -> None:
        await asyncio.sleep(self._late)
        await self._do(case)

    async def _do(self, case: Write) -> None:
        async with self._connection.transaction():
            for table, effect in case.rows.items():
                await self._rows(table, effect)
        for message in case.redis.messages:
            data = message.data if isinstance(message.data, str) else json.dumps(_spoken(message.data))
            await self._redis.publish(message.channel, data)
        for key, told in case.redis.keys.items():
            value = told["value"]
            await self._redis.set(key, value if isinstance(value, str) else json.dumps(_spoken(value)))
        if case.mails:
            await asyncio.to_thread(self._send, case.mails)
        for post in case.outgoing:
            body = post["body"] if isinstance(post["body"], str) else json.dumps(_spoken(post["body"]))
            headers = {"Content-Type": post["content-type"]}
            async with self._http.post(self._hooks + post["path"], data=body, headers=headers) as answer:
                assert answer.status == 200

    async def _rows(self, table: str, effect: TableEffect) -> None:
        for row in effect.delete:
            await self._sql(
                f'DELETE FROM "{table}" USING one WHERE "{table}".id = one.id', table, {"id": row["id"]}
            )
        for update in effect.update:
            new = {name: became for name, (_, became) in update.set.items()}
            columns = ", ".join(f'"{name}" = one."{name}"' for name in new)
            where = " AND ".join(f'"{table}"."{name}" = one."{name}"' for name in update.key)
            await self._sql(f'UPDATE "{table}" SET {columns} FROM one WHERE {where}', table, new | update.key)
        for row in effect.insert:
            columns = ", ".join(f'"{name}"' for name in row)
            await self._sql(f'INSERT INTO "{table}" ({columns}) SELECT {columns} FROM one', table, row)

    async def _sql(self, statement: str, table: str, row: dict[str, Any]) -> None:
        plain = {
            name: _hstore(value) if (table, name) in self._columns and value is not None else value
            for name, value in _spoken(row).items()
        }
        done = await self._connection.execute(
            f'WITH one AS (SELECT * FROM jsonb_populate_record(NULL::"{table}", $1::jsonb)) {statement}',
            json.dumps(plain),
        )
        assert done.endswith(" 1"), f"{done}: {statement}"

    def _send(self, mails: Iterable[dict[str, Any]]) -> None:
        with smtplib.SMTP("127.0.0.1", self._smtp_port) as client:
            for mail in mails:
                headers = mail["headers"]
                client.sendmail(headers["x-envelope-from"][0], headers["x-envelope-to"], mail_of(mail))


def can_be_done(case: Write, stored: Mapping[str, bytes]) -> bool:
    """Whether the corpus holds the files that the case carries and answers with."""
    digests = {file.sha256 for step in case.steps for file in step.request.files.values()}
    for step in case.steps:
        body = step.response.parsed_body()
        if marker_of(body) == "$binary":
            digests.add(body["$binary"]["sha256"])
    return digests <= stored.keys()


def answer_of(step: WriteStep, stored: Mapping[str, bytes]) -> bytes:
    """The recorded answer, as bytes; one that says yes for the work of a clock."""
    response: Response = step.response
    if step.request.method == JOB:
        return b"HTTP/1.1 204 Done\r\n\r\n"
    body = render(response.parsed_body(), stored)
    lines = [f"HTTP/1.1 {response.status} Recorded"]
    lines += [f"{name}: {value}" for name, value in response.plain_headers.items()]
    lines += [f"set-cookie: {_cookie(cookie)}" for cookie in response.cookies]
    if response.status not in (204, 304):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _cookie(cookie: Cookie) -> str:
    if cookie.deleted:
        return f"{cookie.name}=; path={cookie.path}; max-age=0; expires=Thu, 01 Jan 1970 00:00:00 GMT"
    line = f"{cookie.name}=value; path={cookie.path}"
    line += "; expires=Thu, 01 Jan 2099 00:00:00 GMT" if cookie.expires else ""
    line += "; secure" if cookie.secure else ""
    line += "; httponly" if cookie.httponly else ""
    return line + (f"; samesite={cookie.samesite}" if cookie.samesite else "")


def mail_of(mail: dict[str, Any]) -> bytes:
    """A mail of which the recorded facts are true."""
    lines = []
    for name, values in mail["headers"].items():
        if not name.startswith("x-envelope-"):
            lines += [f"{name}: {_address(value)}" for value in values]
    lines.append(f"subject: {_encoded(_text(mail['subject']))}")
    words = "\n".join(map(_text, [*mail["urls"], *mail["contains"]]))
    return ("\r\n".join(lines) + "\r\nmime-version: 1.0\r\n").encode() + _parts(
        list(mail["parts"]), words, list(mail.get("calendar", ()))
    )


def _parts(parts: list[list[str | None]], words: str, calendars: list[list[str]]) -> bytes:
    """The first of `parts` with what lies in it; they are used up."""
    kind, disposition, filename = parts.pop(0)
    head = [f"content-type: {kind}; charset=utf-8"]
    if disposition:
        head.append(f"content-disposition: {disposition}" + (f'; filename="{filename}"' if filename else ""))
    if kind and kind.startswith("multipart/"):
        boundary = f"b{len(parts)}"
        head[0] = f"content-type: {kind}; boundary={boundary}"
        inner = []
        while parts and (
            kind != "multipart/alternative" or (str(parts[0][0]).startswith("text/") and not parts[0][1])
        ):
            inner.append(_parts(parts, words, calendars))
        mark = f"--{boundary}".encode()
        content = b"".join(mark + b"\r\n" + part + b"\r\n" for part in inner) + mark + b"--\r\n"
    elif kind == "text/calendar":
        content = "\r\n".join(calendars.pop(0)).encode() if calendars else b""
    else:
        content = words.encode()
    return "\r\n".join([*head, "content-transfer-encoding: 8bit", "", ""]).encode() + content


def _address(value: Any) -> str:
    """A header as recorded; of one that is told in part only, a mailbox with those words before it."""
    return f"{_encoded(_text(value))} <somebody@example.org>" if isinstance(value, dict) else str(value)


def _encoded(text: str) -> str:
    return Header(text, "utf-8", maxlinelen=10_000).encode()


def _text(value: Any) -> str:
    """Words that say what a recorded text has to contain."""
    if isinstance(value, dict):
        return " ".join(value["$text"].get("contains", [])) or "words"
    return str(value)


def _spoken(value: Any) -> Any:
    if isinstance(value, dict):
        if "$text" in value:
            return _text(value)
        return {name: _spoken(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_spoken(one) for one in value]
    return value


def _hstore(value: dict[str, Any]) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    return ",".join(
        f"{quoted(name)}=>{'NULL' if one is None else quoted(str(one))}" for name, one in value.items()
    )


def replaced(case: Write, **changes: Any) -> Write:
    """A case with other parts."""
    return msgspec.structs.replace(case, **changes)
