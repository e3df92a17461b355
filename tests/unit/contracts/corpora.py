# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small corpora about other people than the project's own."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

from railscompat.cookies import EncryptedCookies
from railscompat.marshal import Value

SERVER_KEY = "another secret, of another server, long enough to be one"
STORED = b"\x89PNG not really\x00\xff"
ZOE, YAN = 4711, 99


def session_of(user: int, salt: int) -> str:
    """A session cookie's value; each `salt` gives another value for the same user."""
    warden: Value = [[user], "$2a$10$abcdefghijklmnopqrstuv"]
    content: Value = {"session_id": f"{salt:032x}", "warden.user.user.key": warden}
    return EncryptedCookies(SERVER_KEY).encrypt("_loomio", content, nonce=salt.to_bytes(12, "big"))


def read_case(path: str, body: Any, actor: str = "anonymous", **more: Any) -> dict[str, Any]:
    """A line of `reads.jsonl`; `headers` are those of the request, `answer_headers` those of the answer."""
    headers = more.get("answer_headers", {"content-type": "application/json; charset=utf-8"})
    return {
        "id": more.get("id", f"{path} {actor} {more.get('headers', '')}"),
        "endpoint": more.get("endpoint", "things#index"),
        "route": more.get("route", path.partition("?")[0]),
        "actor": actor,
        "request": {"method": "GET", "path": path, "headers": more.get("headers", {})},
        "response": {"status": more.get("status", 200), "headers": headers, "body": body},
        "date": "2031-02-03T04:05:06+00:00",
        "noise": more.get("noise", []),
        "unordered": more.get("unordered", []),
    }


def exchange(request: str, response: str, actor: str = "anonymous", form: str = "plain") -> dict[str, Any]:
    """A line of `wire.jsonl`."""
    return {
        "id": f"{form} {actor}",
        "endpoint": "things#index",
        "actor": actor,
        "form": form,
        "request": request,
        "response": response,
    }


def write_corpus(
    folder: Path, reads: list[dict[str, Any]], wire: list[dict[str, Any]] | None = None, **documents: Any
) -> Path:
    """Writes a corpus, some files plain, some compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(case) + "\n" for case in reads).encode()
    (folder / "reads.jsonl.xz").write_bytes(lzma.compress(lines))
    if wire is not None:
        (folder / "wire.jsonl").write_text("".join(json.dumps(one) + "\n" for one in wire))
    if "journeys" in documents:
        steps = "".join(json.dumps(step) + "\n" for step in documents.pop("journeys")).encode()
        (folder / "journeys.jsonl.gz").write_bytes(gzip.compress(steps))
    sessions = {
        "anonymous": {},
        "zoe": {"_loomio": session_of(ZOE, 1), "signed_in": "1"},
        "yan": {"_loomio": session_of(YAN, 2), "signed_in": "1"},
    }
    names = {"actors": {"zoe": {"id": ZOE, "name": "Zoë"}, "yan": {"id": YAN, "name": "Yan"}}, "entities": {}}
    defaults = {"sessions": sessions, "world": names, "env": {"SECRET_KEY_BASE": SERVER_KEY}}
    for name, content in {**defaults, **documents}.items():
        if content is not None:
            (folder / f"{name}.json").write_text(json.dumps(content))
    with tarfile.open(folder / "storage.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("ab/cd/abcdfile")
        member.size = len(STORED)
        archive.addfile(member, io.BytesIO(STORED))
    return folder


STORED_DIGEST = hashlib.sha256(STORED).hexdigest()
