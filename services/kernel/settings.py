# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings from the environment, under the names the Rails application already uses.

What is Banyan's own begins with `BANYAN_`. All problems are reported at once.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from services.kernel.texts import OURS_ALONE, Texts, TextsError
from services.kernel.texts import load as load_texts

LOOMIO_VERSION = "3.0.17"
"""The version whose answers these services give."""

DEFAULT_SPAM = r"(diide\.com|gusronk\.com)"
"""Addresses that Loomio turns away unless `SPAM_REGEX` says otherwise."""

LONGEST_WEAK_KEY = 16
"""Letters of a `B3_API_KEY` that Loomio takes for none."""

SHORTEST_BEARER_SECRET = 32
"""Bytes: as many as the digest that it keys has."""

LONGEST_BEARER = 3600
"""Seconds that a token may hold at most: nothing but time ends a stolen one for sure."""

_OTHER_SECRETS = ("SECRET_KEY_BASE", "SECRET_COOKIE_TOKEN", "DEVISE_SECRET", "B3_API_KEY")

DEFAULT_REDIS = "redis://localhost:6379"


class SettingsError(Exception):
    """The environment is not usable; `problems` holds a line for each reason."""

    def __init__(self, problems: list[str]) -> None:
        """`problems`: name, cause and remedy, a line each."""
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """How to reach PostgreSQL. `url` is free of the options that Rails' own adapter reads from it."""

    url: str = field(repr=False)
    pool_size: int
    prepared_statements: bool
    """Off behind a PgBouncer that can't keep them (`?prepared_statements=false`, as Rails spells it)."""
    timeout: float
    """Seconds that a statement, or the wait for a connection, may take."""
    slow_seconds: float
    """From how many seconds on a statement is logged as slow."""
    listen_url: str | None = field(repr=False)
    """A direct connection for LISTEN; without one, what would listen asks in intervals."""


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """Who this site is to the world."""

    host: str
    port: str | None
    is_secure: bool
    """Whether it is reached over TLS alone (`FORCE_SSL`)."""
    name: str
    notifications_address: str
    """Where its mails come from."""

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        scheme = "https" if self.is_secure else "http"
        default = "443" if self.is_secure else "80"
        port = f":{self.port}" if self.port and self.port != default else ""
        return f"{scheme}://{self.host}{port}"


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Where mails are handed over; without a server none are sent, as in Rails."""

    server: str
    port: int
    domain: str | None
    username: str | None
    password: str | None = field(repr=False)
    uses_tls: bool
    verifies: bool
    """Whether the server's certificate is checked (`SMTP_SSL_VERIFY_MODE`; Rails does not by itself)."""


@dataclass(frozen=True, slots=True)
class BearerSettings:
    """Tokens for API clients (`services.kernel.bearer`)."""

    secret: str = field(repr=False)
    audience: str
    """Whom tokens are for; others' are not taken."""
    lifetime: int
    """Seconds that a token holds."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a process of services is told from outside."""

    database: DatabaseSettings
    secret_key_base: str = field(repr=False)
    devise_secret: str = field(repr=False)
    """Signs what Devise mails: unlocking and resetting passwords."""
    redis_url: str = field(repr=False)
    """For what lives outside of the database: socket tokens, counters, publishing."""
    redis_queue_url: str = field(repr=False)
    """Where Sidekiq's jobs lie."""
    b3_api_key: str | None = field(repr=False)
    """What opens `/api/b3`, which closes accounts; None where nothing does: it is not set, or too short."""
    bearer: BearerSettings | None
    """None where there are no tokens for API clients."""
    site: SiteSettings
    texts: Texts
    """What people read, with the operator's words in it (`BANYAN_LOCALES`)."""
    smtp: SmtpSettings | None = field(repr=False)
    most_login_attempts: int
    """How many wrong passwords lock an account."""
    link_minutes: int
    """How long mailed links and codes work."""
    oauth_state: bool
    """Whether people bring back from other services what they were sent with (`BANYAN_OAUTH_STATE=on`)."""
    environment: Mapping[str, str] = field(repr=False, compare=False)
    """All variables, for what is only passed on (the client's theme and features)."""
    release: str
    build: str
    """Which build of the services this is, for the evidence of comparisons (`BANYAN_BUILD`)."""
    system_reload: bool
    """Whether clients of another release are told to reload (`LOOMIO_SYSTEM_RELOAD` is there, whatever it says)."""
    system_notice: str | None
    spam: re.Pattern[str]
    starts_at: datetime | None
    """Where the clock starts (`BANYAN_NOW`); None is now."""
    log_format: str
    log_requests: bool
    """Whether every request has a line in the log (`BANYAN_LOG_REQUESTS=off` leaves warnings and errors)."""
    deadline: float
    """Seconds that a request may take."""
    rates: int
    times: int
    """What Rack::Attack's limits and periods are multiplied by."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read and check. Raises `SettingsError` with every problem."""
        read = _Reader(environment)
        secret, site = read.secret(), read.site()
        settings = cls(
            database=read.database(),
            secret_key_base=secret,
            devise_secret=environment.get("DEVISE_SECRET") or secret,
            redis_url=environment.get("REDIS_CACHE_URL") or environment.get("REDIS_URL") or DEFAULT_REDIS,
            redis_queue_url=environment.get("REDIS_QUEUE_URL")
            or environment.get("REDIS_URL")
            or DEFAULT_REDIS,
            b3_api_key=read.long_key("B3_API_KEY"),
            bearer=read.bearer(site.origin),
            site=site,
            texts=read.texts("BANYAN_LOCALES"),
            smtp=read.smtp(),
            most_login_attempts=read.integer("MAX_LOGIN_ATTEMPTS", 20, least=1),
            link_minutes=read.integer("LOGIN_TOKEN_EXPIRATION_MINUTES", 1440, least=1),
            oauth_state=read.choice("BANYAN_OAUTH_STATE", ("off", "on")) == "on",
            environment=dict(environment),
            release=environment.get("RELEASE") or LOOMIO_VERSION,
            build=environment.get("BANYAN_BUILD") or environment.get("RELEASE") or LOOMIO_VERSION,
            system_reload="LOOMIO_SYSTEM_RELOAD" in environment,
            system_notice=environment.get("LOOMIO_SYSTEM_NOTICE"),
            spam=read.pattern("SPAM_REGEX", DEFAULT_SPAM),
            starts_at=read.moment("BANYAN_NOW"),
            log_format=read.choice("BANYAN_LOG", ("json", "console")),
            log_requests=read.choice("BANYAN_LOG_REQUESTS", ("on", "off")) == "on",
            deadline=float(read.integer("BANYAN_REQUEST_TIMEOUT", 30, least=1)),
            # Rack::Attack's own names, spelt as they are.
            rates=read.integer("RACK_ATTACK_RATE_MULTPLIER", 1, least=1),
            times=read.integer("RACK_ATTACK_TIME_MULTPLIER", 1, least=1),
        )
        if read.problems:
            raise SettingsError(read.problems)
        return settings


_RAILS_OPTIONS = frozenset(
    ("pool", "encoding", "prepared_statements", "reaping_frequency", "checkout_timeout", "timeout")
)
"""Options of Rails' adapter in a URL; PostgreSQL would refuse them as settings it does not know."""


def _plain_url(url: str) -> str:
    """The URL as asyncpg takes it; empty where there is none."""
    parts = urllib.parse.urlsplit(url)
    options = [one for one in urllib.parse.parse_qsl(parts.query) if one[0] not in _RAILS_OPTIONS]
    plain = parts._replace(scheme="postgresql", query=urllib.parse.urlencode(options))
    return urllib.parse.urlunsplit(plain) if url else ""


class _Reader:
    """Reads one environment and collects what is wrong with it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.problems: list[str] = []

    def secret(self) -> str:
        # Rails falls back to the older name as well.
        for name in ("SECRET_KEY_BASE", "SECRET_COOKIE_TOKEN"):
            if value := self.environment.get(name):
                return value
        self.problems.append(
            "SECRET_KEY_BASE is not set; take the Rails application's, or nobody is signed in here"
        )
        return ""

    def long_key(self, name: str) -> str | None:
        # Not a problem to be told: Rails runs with a short key, and refuses it.
        key = self.environment.get(name, "")
        return key if len(key) > LONGEST_WEAK_KEY else None

    def bearer(self, origin: str) -> BearerSettings | None:
        name, asked = "BANYAN_JWT_SECRET", ("BANYAN_JWT_AUDIENCE", "BANYAN_JWT_LIFETIME")
        lifetime = self.integer("BANYAN_JWT_LIFETIME", 900, least=60, most=LONGEST_BEARER)
        secret = self.environment.get(name)
        if not secret:
            set_alone = [one for one in asked if self.environment.get(one)]
            self.problems += [f"{one} is set without {name}: there are no tokens" for one in set_alone]
            return None
        if len(secret.encode()) < SHORTEST_BEARER_SECRET:
            self.problems.append(
                f"{name} is shorter than {SHORTEST_BEARER_SECRET} bytes; `openssl rand -hex 32` makes one"
            )
        if secret in (self.environment.get(one) for one in _OTHER_SECRETS):
            self.problems.append(f"{name} is another secret's value; it must be its own")
        return BearerSettings(secret, self.environment.get(asked[0]) or origin, lifetime)

    def site(self) -> SiteSettings:
        host = self.environment.get("CANONICAL_HOST", "localhost")
        domain = self.environment.get("SMTP_DOMAIN", "")
        return SiteSettings(
            host=host,
            port=self.environment.get("CANONICAL_PORT") or None,
            is_secure=bool(self.environment.get("FORCE_SSL")),
            name=self.environment.get("SITE_NAME", "Loomio"),
            notifications_address=self.environment.get(
                "NOTIFICATIONS_EMAIL_ADDRESS", f"notifications@{domain}"
            ),
        )

    def texts(self, name: str) -> Texts:
        if not (folder := self.environment.get(name)):
            return OURS_ALONE
        try:
            return load_texts(Path(folder))
        except TextsError as error:
            self.problems += [f"{name}: {problem}" for problem in error.problems]
            return OURS_ALONE

    def smtp(self) -> SmtpSettings | None:
        if not (server := self.environment.get("SMTP_SERVER")):
            return None
        return SmtpSettings(
            server=server,
            port=self.integer("SMTP_PORT", 25, least=1),
            domain=self.environment.get("SMTP_DOMAIN"),
            username=self.environment.get("SMTP_USERNAME"),
            password=self.environment.get("SMTP_PASSWORD"),
            uses_tls=bool(self.environment.get("SMTP_USE_SSL")),
            verifies=self.environment.get("SMTP_SSL_VERIFY_MODE", "none") != "none",
        )

    def database(self) -> DatabaseSettings:
        url = self.environment.get("DATABASE_URL", "")
        parts = urllib.parse.urlsplit(url)
        if not url:
            self.problems.append("DATABASE_URL is not set; take the Rails application's")
        elif parts.scheme not in ("postgres", "postgresql", "postgis"):
            self.problems.append("DATABASE_URL does not begin with postgresql://; only PostgreSQL will do")
        asked = dict(urllib.parse.parse_qsl(parts.query))
        return DatabaseSettings(
            url=_plain_url(url),
            pool_size=self.integer("BANYAN_DATABASE_POOL", 10, least=1),
            prepared_statements=asked.get("prepared_statements", "true") != "false",
            timeout=float(self.integer("BANYAN_DATABASE_TIMEOUT", 10, least=1)),
            slow_seconds=self.integer("BANYAN_SLOW_QUERY_MS", 200, least=0) / 1000,
            listen_url=_plain_url(self.environment.get("BANYAN_LISTEN_DATABASE_URL", "")) or None,
        )

    def integer(self, name: str, default: int, *, least: int, most: int | None = None) -> int:
        text = self.environment.get(name) or str(default)
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            self.problems.append(f"{name}={text!r} is no whole number of at least {least}")
        if most is not None and value > most:
            self.problems.append(f"{name}={text!r} is more than {most}")
        return value

    def pattern(self, name: str, default: str) -> re.Pattern[str]:
        text = self.environment.get(name, default)
        try:
            return re.compile(text, re.IGNORECASE)
        except re.error as error:
            self.problems.append(f"{name} is no regular expression: {error}")
            return re.compile(default)

    def moment(self, name: str) -> datetime | None:
        text = self.environment.get(name)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.problems.append(f"{name}={text!r} is no ISO time such as 2031-05-01T12:00:00+00:00")
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.environment.get(name) or allowed[0]
        if value not in allowed:
            self.problems.append(f"{name}={value!r} is none of {', '.join(allowed)}")
        return value
