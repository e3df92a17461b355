# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real Chromium, driven over its DevTools protocol: no more than these tests need, and nothing to install for it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def program() -> str | None:
    """Where Chromium is, if it is there."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        """What the console said is wrong, scripts that were refused among it."""

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A method of the protocol, with its result. What is reported meanwhile is kept."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json(timeout=60)
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            if message.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.complaints.append(str(message["params"]))

    async def open(self, file: Path, *, width: int = 1280, height: int = 1000, dark: bool = False) -> None:
        """Show a file, in a window of such a size, to somebody who likes light or dark."""
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call("Page.navigate", url=file.as_uri())
        async with asyncio.timeout(60):
            while await self.run("location.protocol + document.readyState") != "file:complete":
                await asyncio.sleep(0.02)

    async def run(self, script: str) -> Any:
        """The value of an expression of JavaScript, in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def press(self, key: str, text: str = "") -> None:
        """Press and release a key."""
        known = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "/": 191}
        code = known.get(key, ord(key.upper()[0]))
        text = {"Enter": "\r"}.get(key, text or (key if len(key) == 1 else ""))
        same = {"key": key, "windowsVirtualKeyCode": code}
        await self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **same)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **same)

    async def write(self, text: str) -> None:
        """Press a key for each character."""
        for character in text:
            await self.press(character)

    async def picture(self) -> bytes:
        """What is seen now, as PNG."""
        answer = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])


@asynccontextmanager
async def chromium() -> AsyncIterator[Page]:
    """A tab of a browser of its own, which ends with it."""
    path = program()
    assert path is not None
    with tempfile.TemporaryDirectory(prefix="banyan-chromium-", ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--hide-scrollbars", "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = await _port(Path(folder) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    tabs = [tab for tab in await answer.json() if tab["type"] == "page"]
                async with session.ws_connect(tabs[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    yield Page(socket)
        finally:
            process.kill()
            await process.wait()


async def _port(file: Path) -> int:
    """The port that it chose, which it writes down when it is ready."""
    async with asyncio.timeout(60):
        while (port := _written(file)) is None:
            await asyncio.sleep(0.02)
    return port


def _written(file: Path) -> int | None:
    lines = file.read_text().splitlines() if file.exists() else []
    return int(lines[0]) if len(lines) > 1 else None
