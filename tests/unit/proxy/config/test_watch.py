# SPDX-License-Identifier: AGPL-3.0-or-later
"""Changes are noticed however they are made; noise is not passed on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from proxy.config.watch import watch

DEADLINE = 20.0


class Seen:
    """Counts what a watch yields."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = asyncio.Condition()

    async def note(self) -> None:
        async with self._changed:
            self.count += 1
            self._changed.notify_all()

    async def reaches(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE), self._changed:
            await self._changed.wait_for(lambda: self.count >= count)


@asynccontextmanager
async def watching(files: list[Path]) -> AsyncIterator[Seen]:
    seen = Seen()

    async def run() -> None:
        async for _ in watch(lambda: files):
            await seen.note()

    task = asyncio.create_task(run())
    try:
        await seen.reaches(1)
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_yields_once_at_the_start(tmp_path: Path) -> None:
    async with watching([tmp_path / "routing.yaml"]) as seen:
        assert seen.count == 1


async def test_a_write_and_an_atomic_replacement_are_noticed(tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text("a")
    async with watching([file]) as seen:
        file.write_text("b")
        await seen.reaches(2)
        (tmp_path / "new").write_text("c")
        (tmp_path / "new").rename(file)
        await seen.reaches(3)


async def test_a_swapped_link_is_noticed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "routing.yaml").write_text(name)
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "routing.yaml").symlink_to("..data/routing.yaml")
    async with watching([tmp_path / "routing.yaml"]) as seen:
        (tmp_path / "..tmp").symlink_to("two")
        os.replace(tmp_path / "..tmp", tmp_path / "..data")
        await seen.reaches(2)


async def test_noise_is_not_passed_on(tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text("a")
    async with watching([file]) as seen:
        (tmp_path / ".routing.yaml.swp").write_text("x")
        file.write_text("a")
        os.utime(file)
        await asyncio.sleep(0.5)
        file.write_text("b")
        await seen.reaches(2)
        assert seen.count == 2


async def test_a_file_that_comes_later_in_a_folder_that_comes_later(tmp_path: Path) -> None:
    file = tmp_path / "later" / "routing.yaml"
    async with watching([file]) as seen:
        file.parent.mkdir()
        file.write_text("a")
        await seen.reaches(2)


async def test_another_file_may_join(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    files = [tmp_path / "a" / "routing.yaml"]
    async with watching(files) as seen:
        files.append(tmp_path / "b" / "routes.yaml")
        files[0].write_text("x")
        await seen.reaches(2)
        files[1].write_text("y")
        await seen.reaches(3)
