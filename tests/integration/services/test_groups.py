# SPDX-License-Identifier: AGPL-3.0-or-later
"""The directory's count, and handles that are free."""

from __future__ import annotations

from tests.factories import NOW, Factory
from tests.servicetest import Service

COUNT = "/api/v1/groups/count_explore_results"
HANDLE = "/api/v1/groups/suggest_handle"


async def count(service: Service, query: str = "") -> int:
    number: int = (await service.json(f"{COUNT}{query}"))["count"]
    return number


async def handle(service: Service, query: str) -> str:
    text: str = (await service.json(f"{HANDLE}?{query}"))["handle"]
    return text


async def test_the_directory_counts_listed_groups_at_the_top(service: Service, make: Factory) -> None:
    before = await count(service)
    listed = await make.group(listed_in_explore=True)
    await make.group(listed_in_explore=False)
    await make.group(listed_in_explore=True, archived_at=NOW)
    await make.group(listed_in_explore=True, parent_id=listed)
    assert await count(service) == before + 1


async def test_words_are_looked_for_in_name_and_description(service: Service, make: Factory) -> None:
    await make.group(name="Ödland 100%", listed_in_explore=True)
    await make.group(name="Other", description="all about ödland", listed_in_explore=True)
    assert await count(service, "?q=%C3%96DLAND") == 2
    assert await count(service, "?q=land+1%25") == 1  # a percent sign is a wildcard, as in Loomio
    assert await count(service, "?q=nothing-like-it") == 0
    for blank in ("?q=", "?q=+%09", "?q"):
        assert await count(service, blank) == await count(service)


async def test_handles_are_numbered_until_they_are_free(service: Service, make: Factory) -> None:
    assert await handle(service, "name=Green+Door") == "green-door"
    await make.group(handle="Green-Door", archived_at=NOW)
    assert await handle(service, "name=Green+Door") == "green-door-1"
    await make.group(handle="green-door-2")
    assert await handle(service, "name=green-door") == "green-door-1"
    await make.group(handle="green-door-1")
    assert await handle(service, "name=Green+Door!") == "green-door-3"


async def test_the_parents_handle_comes_first(service: Service) -> None:
    assert await handle(service, "name=Ladders&parent_handle=Some+Tree") == "some-tree-ladders"
    assert await handle(service, "parent_handle=lonely") == "lonely"
    assert await handle(service, "name=x&parent_handle=") == "-x"
    assert await handle(service, "name") == ""


async def test_the_readers_language_decides_how_letters_are_written(service: Service, make: Factory) -> None:
    name = "name=%D0%A9%D0%B8%D1%82"  # Щит
    assert await handle(service, name) == ""
    assert await handle(service, f"{name}&locale=ru") == "schit"
    reader = await make.user(selected_locale="uk")
    cookies = service.signed_in(reader, await make.password_of(reader))
    assert (await service.json(f"{HANDLE}?{name}", cookies))["handle"] == "shchyt"
