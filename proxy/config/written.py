# SPDX-License-Identifier: AGPL-3.0-or-later
# ruff: noqa: RUF009 - key() is dataclasses.field() with metadata: nothing is shared between instances
"""What was written: the keys of `routing.yaml`, each declared once.

The reader, the JSON Schema and the test that every key is documented all follow from these declarations. Values that
mean the same while the edge runs (timeouts, pool, limits …) keep their type in the running table; what has to be
resolved (names of backends, routes, ramps) has its own there.

Durations are in seconds, sizes in bytes, rates per second, percentages from 0 to 100.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from proxy.config.errors import Code
from proxy.config.kinds import (
    NAME,
    RATE,
    Flag,
    ListOf,
    NamedOf,
    Percent,
    Text,
    Whole,
    check_network,
    check_url,
    duration,
    size,
)
from proxy.config.record import Record, key
from proxy.config.windows import PATTERN, check_timezone, check_window

HEADER = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
DAY = 86400.0
KB = 1024
MB = 1024 * KB
GB = 1024 * MB


class Repeat(StrEnum):
    """Whether a request of a route may run a second time, to compare the answers."""

    SAFE = "safe"
    """Anywhere, any number of times."""
    DRY = "dry"
    """A read that may write: only the new side may be asked again, and told not to write."""
    UNSAFE = "unsafe"
    """Never."""


class Sticky(StrEnum):
    """What a request's bucket is drawn from."""

    USER = "user"
    COOKIE = "cookie"
    HEADER = "header"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Health:
    """How a backend's availability is watched."""

    path: str | None = key(
        Text("a path such as /up", r"/[!-~]*"),
        "Path asked with GET; any 2xx or 3xx answer is healthy. Without it nothing is asked.",
        default=None,
    )
    interval: float = key(duration(0.1, 3600), "Time between two checks of one address.", default=5.0)
    timeout: float = key(duration(0.05, 60), "How long a check may take.", default=2.0)
    fall: int = key(Whole(1, 100), "Failed checks in a row until an address is unavailable.", default=3)
    rise: int = key(Whole(1, 100), "Good checks in a row until it is available again.", default=2)


@dataclass(frozen=True, slots=True)
class Pool:
    """Connections of one worker to one backend."""

    max_connections: int = key(Whole(1, 65535), "Connections open at once, busy or idle.", default=256)
    max_idle: int = key(Whole(0, 65535), "Idle connections kept for reuse.", default=64)
    idle: float = key(
        duration(0, 3600),
        "How long an idle connection may be reused. Well below the backend's own keep-alive (Puma: 20 s), "
        "so that no request meets a connection that is just being closed.",
        default=10.0,
    )
    waiting: int = key(Whole(0, 1_000_000), "Requests that may wait for a connection.", default=1024)
    wait: float = key(duration(0, 600), "How long each of them may wait; then 503.", default=5.0)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each phase of a request may take."""

    connect: float = key(duration(0.01, 600), "Opening a connection to the backend.", default=3.0)
    request_body: float = key(duration(0.1, DAY), "Silence of a client that is sending a body.", default=30.0)
    first_byte: float = key(
        duration(0.1, DAY), "From the end of the request to the first byte of the answer.", default=60.0
    )
    stream_idle: float = key(
        duration(0.1, DAY), "Silence within an answer, and of a client that does not read it.", default=60.0
    )
    total: float | None = key(
        duration(0.1, 30 * DAY), "The whole exchange; without it no limit.", default=None
    )
    tunnel_idle: float = key(duration(1, 30 * DAY), "Silence on a WebSocket, both ways.", default=3600.0)


@dataclass(frozen=True, slots=True)
class Breaker:
    """When an address of a backend is left alone (see dataplane.breaker)."""

    failures: int = key(
        Whole(0, 10_000),
        "Failures within `window`, and more than answers, after which an address is left alone; one connection "
        "that cannot be made is enough. 0: never.",
        default=5,
    )
    window: float = key(duration(0.1, 3600), "How long failures count.", default=10.0)
    rest: float = key(
        duration(0.1, 3600), "How long it is left alone before one request tries it again.", default=5.0
    )


@dataclass(frozen=True, slots=True)
class Shadow:
    """What a backend may be asked for comparing, beyond its users' traffic."""

    rate: float = key(RATE, "Requests started at most.", default=50.0)
    concurrency: int = key(Whole(0, 10_000), "Requests under way at most.", default=8)


@dataclass(frozen=True, slots=True)
class WrittenBackend:
    """One side that answers requests."""

    urls: tuple[str, ...] = key(
        ListOf(
            Text(
                "a URL such as http://127.0.0.1:3000",
                r".*",
                variables=True,
                check=check_url,
                code=Code.BAD_URL,
            ),
            least=1,
        ),
        "Where it listens: `http://host:port`, one or more; `${NAME}` comes from the environment.",
    )
    health: Health = key(Record(Health, "health"), "How its availability is watched.", factory=Health)
    pool: Pool = key(Record(Pool, "pool"), "Connections of one worker to it.", factory=Pool)
    timeouts: Timeouts = key(Record(Timeouts, "timeouts"), "How long each phase may take.", factory=Timeouts)
    breaker: Breaker = key(
        Record(Breaker, "breaker"), "When an address that fails is left alone.", factory=Breaker
    )
    shadow: Shadow = key(Record(Shadow, "shadow"), "What it may be asked for comparing.", factory=Shadow)


@dataclass(frozen=True, slots=True)
class KeepOnLegacy:
    """Requests that stay on the old side whatever their bucket."""

    query: tuple[str, ...] = key(
        ListOf(Text("the name of a query parameter")), "Names of query parameters.", default=()
    )
    session: tuple[str, ...] = key(
        ListOf(Text("the name of a session key, or a glob such as pending_*")),
        "Keys of the Rails session; `*` stands for any text.",
        default=(),
    )
    headers: tuple[str, ...] = key(
        ListOf(Text("the name of a header", HEADER)), "Names of request headers.", default=()
    )


@dataclass(frozen=True, slots=True)
class Shadowing:
    """How answers are compared while users are served. The figures hold for one edge."""

    body: int = key(
        size(1 * KB, 1 * GB),
        "Largest body that is compared; larger ones are counted as not comparable.",
        default=8 * MB,
    )
    queue: int = key(
        size(64 * KB, 4 * GB),
        "Bytes that each worker, and the process that compares, may hold for comparing; what is beyond is dropped "
        "and counted.",
        default=32 * MB,
    )
    timeout: float = key(duration(0.1, 600), "How long the other side may take for its answer.", default=30.0)
    noise: float = key(
        RATE,
        "How often the old side is asked the same twice, to learn what differs by itself. 0/s: never.",
        default=0.2,
    )


_BACKEND = Text("the name of a backend", NAME)
_STICKY = Text("user, cookie, header:NAME or none", rf"user|cookie|none|header:{HEADER}")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What groups have where they do not say otherwise."""

    from_: str = key(
        _BACKEND, "The backend that serves now, and all that no group claims.", name="from", default="legacy"
    )
    to: str = key(_BACKEND, "The backend that routes move to.", default="python")
    sticky: str = key(_STICKY, "What a request's bucket is drawn from.", default="user")
    keep_on_legacy: KeepOnLegacy = key(
        Record(KeepOnLegacy, "keep_on_legacy"),
        "Requests that stay whatever their bucket.",
        factory=KeepOnLegacy,
    )
    body_limit: int | None = key(
        size(0, 1024 * GB), "Largest request body; beyond it 413. Without it no limit.", default=None
    )


@dataclass(frozen=True, slots=True)
class Burst:
    """The hard limit: so many failures at once take everything back without waiting for any test."""

    errors: int = key(Whole(1, 1_000_000), "Failures of the new side within `window`, at least.", default=20)
    points: float = key(
        Percent(), "By how many points its error rate exceeds the old side's then, at least.", default=20.0
    )
    window: float = key(duration(1, 3600), "The time looked at.", default=60.0)


@dataclass(frozen=True, slots=True)
class Gates:
    """What a step has to show before the next."""

    min_requests: int = key(Whole(1, 1_000_000_000), "Requests on each side, at least.", default=200)
    min_users: int = key(Whole(1, 1_000_000_000), "Different users on each side, at least.", default=10)
    error_points: float = key(
        Percent(),
        "By how many points the new side's error rate may exceed the old side's. Nothing passes that may exceed it; "
        "what surely exceeds half of it goes back.",
        default=0.4,
    )
    slower_points: float = key(
        Percent(),
        "By how many points a request of the new side may be likelier than not to be the slower of two "
        "(Mann–Whitney).",
        default=5.0,
    )
    tail_points: float = key(
        Percent(),
        "By how many points more requests of the new side than of the old may be slower than the old side's p95 of "
        "their route.",
        default=2.0,
    )
    diff_rate: float = key(Percent(), "The share of comparisons that may differ.", default=0.1)
    compare: bool = key(
        Flag(),
        "Whether differences, open findings and coverage count; without it a group ramps on live figures alone.",
        default=True,
    )
    coverage: float = key(
        Percent(),
        "The share of what traffic shows (query keys, statuses, roles) that must have been compared.",
        default=80.0,
    )
    proof_age: float = key(
        duration(60, 366 * DAY),
        "How old a green `contracts verify-writes` or `replay` of this build may be, for requests that may not be "
        "asked twice.",
        default=7 * DAY,
    )
    saturation: float = key(
        Percent(),
        "The share of a backend's connections that may be busy when a share is raised.",
        default=90.0,
    )
    burst: Burst = key(Record(Burst, "burst"), "The hard limit.", factory=Burst)


@dataclass(frozen=True, slots=True)
class Ramp:
    """A planned series of shares."""

    steps: tuple[float, ...] = key(ListOf(Percent(), least=1), "The shares to pass through, rising.")
    dwell: float = key(duration(1, 30 * DAY), "Shortest stay on each step.", default=1800.0)
    compare: float = key(
        duration(1, 30 * DAY), "Shortest time of comparing before the first step.", default=600.0
    )
    soak: float = key(
        duration(1, 90 * DAY), "How long the last step is watched before it is called full.", default=DAY
    )
    confirm: tuple[float, ...] = key(
        ListOf(Percent()), "Steps that a person has to confirm before they are taken.", default=()
    )
    windows: tuple[str, ...] = key(
        ListOf(Text("a window such as mon-fri 09:00-16:30", PATTERN, check=check_window)),
        "When shares may be raised; without it at any time.",
        default=(),
    )
    timezone: str = key(
        Text("the name of a time zone such as Europe/Berlin", check=check_timezone),
        "The time zone of the windows.",
        default="UTC",
    )
    gates: Gates = key(Record(Gates, "gates"), "What a step has to show before the next.", factory=Gates)


@dataclass(frozen=True, slots=True)
class WrittenGroup:
    """Routes that move together."""

    routes: tuple[str, ...] = key(
        ListOf(Text("a route: its name, a glob such as tags#*, or `GET /path`"), least=1),
        "Names from the catalogue, globs over them, or `METHOD /path`.",
    )
    except_: tuple[str, ...] = key(
        ListOf(Text("a route: its name, a glob such as tags#*, or `GET /path`")),
        "Taken out of `routes` again.",
        name="except",
        default=(),
    )
    percent: float = key(Percent(), "Share of users on the new side.", default=0)
    shadow: float = key(Percent(), "Share of repeatable requests asked of the other side too.", default=0)
    stage: int | None = key(Whole(0, 999), "When it moves, in the plan's order.", default=None)
    ramp: str | None = key(Text("the name of a ramp", NAME), "The ramp that raises the share.", default=None)
    kill: bool = key(Flag(), "Everything of this group to the old side at once.", default=False)
    from_: str | None = key(_BACKEND, "The backend it leaves.", name="from", default=None)
    to: str | None = key(_BACKEND, "The backend it moves to.", default=None)
    sticky: str | None = key(_STICKY, "What a request's bucket is drawn from.", default=None)
    keep_on_legacy: KeepOnLegacy | None = key(
        Record(KeepOnLegacy, "keep_on_legacy"),
        "Requests that stay whatever their bucket; replaces the default.",
        default=None,
    )
    body_limit: int | None = key(size(0, 1024 * GB), "Largest request body; beyond it 413.", default=None)


@dataclass(frozen=True, slots=True)
class WrittenPin:
    """A tester who is sent to one backend. Exactly one of user, cookie and api_key."""

    to: str = key(_BACKEND, "The backend that answers.")
    user: str | None = key(
        Text("a user's id", r"[A-Za-z0-9_-]{1,64}", bare=True), "The user's id.", default=None
    )
    cookie: str | None = key(
        Text("the value of a banyan_bucket cookie", r"[0-9a-f]{32}", bare=True),
        "The value of the visitor's banyan_bucket cookie.",
        default=None,
    )
    api_key: str | None = key(
        Text("an API key", variables=True, bare=True),
        "The API key; `${NAME}` comes from the environment.",
        default=None,
    )
    groups: tuple[str, ...] = key(
        ListOf(Text("the name of a group", NAME)), "Only these groups; without it all.", default=()
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What the edge accepts from clients."""

    head: int = key(
        size(1 * KB, 1 * MB), "Request line and headers together; beyond it 431.", default=64 * KB
    )
    target: int = key(size(256, 1 * MB), "Path and query; beyond it 414.", default=16 * KB)
    headers: int = key(Whole(8, 10_000), "Number of headers; beyond it 431.", default=128)
    head_time: float = key(
        duration(0.1, 600),
        "How long a request line with its headers may take to arrive; then 408.",
        default=10.0,
    )
    idle: float = key(duration(0.1, DAY), "How long a connection is kept between two requests.", default=75.0)
    linger: float = key(
        duration(0.1, 60),
        "How long a client may go on sending after the edge's last answer, before it is cut off.",
        default=2.0,
    )
    connections_per_peer: int | None = key(
        Whole(1, 1_000_000),
        "Connections from one address (IPv6: one /64) to one worker; beyond it 429. Trusted proxies may have any "
        "number. Without it no limit.",
        default=None,
    )
    body: int | None = key(
        size(0, 1024 * GB),
        "Largest body of a request that no group claims; without it no limit.",
        default=None,
    )


@dataclass(frozen=True, slots=True)
class Written:
    """`routing.yaml`, key by key."""

    version: int = key(Whole(1, 1), "Version of this format.")
    salt: str = key(
        Text("a text of at most 64 letters, digits, dots, dashes and underscores", r"[A-Za-z0-9_.-]{1,64}"),
        "Mixed into every bucket: one for the file, so that a user has one bucket for everything. "
        "Changing it draws everybody anew.",
    )
    backends: Mapping[str, WrittenBackend] = key(
        NamedOf(Record(WrittenBackend, "a backend"), "a backend", least=1), "The sides that answer requests."
    )
    groups: Mapping[str, WrittenGroup] = key(
        NamedOf(Record(WrittenGroup, "a group"), "a group"), "Routes that move together.", factory=dict
    )
    catalogue: str | None = key(
        Text("a file name"),
        "Every route of the application, in Rails' order; relative to this file.",
        default=None,
    )
    defaults: Defaults = key(
        Record(Defaults, "defaults"), "What groups have where they do not say otherwise.", factory=Defaults
    )
    ramps: Mapping[str, Ramp] = key(
        NamedOf(Record(Ramp, "a ramp"), "a ramp"), "Planned series of shares.", factory=dict
    )
    bundles: Mapping[str, tuple[str, ...]] = key(
        NamedOf(ListOf(Text("the name of a group", NAME), least=1), "a bundle"),
        "Groups whose shares must be equal, because they write the same rows.",
        factory=dict,
    )
    neighbours: Mapping[str, tuple[str, ...]] = key(
        NamedOf(ListOf(Text("the name of a group", NAME), least=1), "a set of neighbours"),
        "Groups that touch each other's rows but move in different stages: `banyan plan` warns when a change "
        "drives them apart.",
        factory=dict,
    )
    pins: tuple[WrittenPin, ...] = key(
        ListOf(Record(WrittenPin, "a pin")), "Testers who are sent to one backend.", default=()
    )
    kill: bool = key(Flag(), "Everything to the old side at once.", default=False)
    announce: tuple[str, ...] = key(
        ListOf(Text("a URL", r"https?://[!-~]+", variables=True, code=Code.BAD_URL)),
        "Web hooks that are told of rollbacks, kills and confirm gates: JSON, by POST.",
        default=(),
    )
    rules: str | None = key(
        Text("a file name"),
        "Which differences between the sides do not count; relative to this file.",
        default=None,
    )
    shadowing: Shadowing = key(
        Record(Shadowing, "shadowing"), "How answers are compared while users are served.", factory=Shadowing
    )
    limits: Limits = key(Record(Limits, "limits"), "What the edge accepts from clients.", factory=Limits)
    trusted_proxies: tuple[str, ...] = key(
        ListOf(Text("an address or network such as 10.0.0.0/8", r"[0-9A-Fa-f.:/]+", check=check_network)),
        "Peers whose X-Forwarded-* and Forwarded headers are believed.",
        default=(),
    )
    proxy_protocol: bool = key(
        Flag(),
        "Every connection of a trusted proxy begins with a PROXY header (version 1 or 2) that names the client.",
        default=False,
    )
    api_key_parameters: tuple[str, ...] = key(
        ListOf(Text("the name of a query parameter")),
        "Query parameters that carry an API key.",
        default=("api_key", "b3_api_key"),
    )


ROUTING = Record(Written, "the file")


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One route of the application.

    `methods` is empty for all. `repeat` says whether a request may run twice and `why` why not.
    """

    methods: tuple[str, ...]
    path: str
    name: str
    repeat: Repeat = Repeat.SAFE
    why: str = ""
    body_token: bool = False
    mount: bool = False
    constraints: Mapping[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The methods as written: `GET`, `GET|POST`, `ANY`."""
        return "|".join(self.methods) or "ANY"


@dataclass(frozen=True, slots=True)
class WrittenConfig:
    """A routing file and its catalogue, checked: everything that `compile_table` needs.

    `rows` are all routes in Rails' order; `members` says which of them (by index) each group holds.
    """

    file: str
    written: Written
    rows: tuple[CatalogueRow, ...]
    members: Mapping[str, tuple[int, ...]]
