# SPDX-License-Identifier: AGPL-3.0-or-later
"""From what was written to what runs."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from proxy.config import notation
from proxy.config.written import (
    KeepOnLegacy,
    Repeat,
    Sticky,
    WrittenBackend,
    WrittenConfig,
    WrittenGroup,
)
from proxy.routing.match import Matcher, build_tree
from proxy.routing.subject import key_subject
from proxy.routing.table import Address, Backend, Group, Guards, Route, Table, header_spellings


def compile_table(config: WrittenConfig, generation: int) -> Table:
    """The running table of a checked configuration. `generation` counts the tables of one edge."""
    written = config.written
    backends = tuple(
        _backend(index, name, backend) for index, (name, backend) in enumerate(written.backends.items())
    )
    groups = _groups(config, {backend.name: backend.index for backend in backends})
    owner = {row: groups[name] for name, rows in config.members.items() for row in rows}
    routes = tuple(
        Route(
            index=index,
            name=row.name,
            methods=row.methods,
            pattern=row.path,
            group=owner.get(index),
            repeat=row.repeat,
            body_token=row.body_token,
            body_limit=_body_limit(config, owner.get(index)),
        )
        for index, row in enumerate(config.rows)
    )
    patterns = [notation.parse(row.path, row.constraints, mount=row.mount) for row in config.rows]
    return Table(
        generation=generation,
        salt=written.salt.encode(),
        backends=backends,
        groups=tuple(groups.values()),
        routes=routes,
        unmatched=Route(len(routes), "unmatched", (), "", None, Repeat.UNSAFE, False, written.limits.body),
        legacy=next(backend.index for backend in backends if backend.name == written.defaults.from_),
        kill=written.kill,
        limits=written.limits,
        shadowing=written.shadowing,
        rules=None if written.rules is None else str(Path(config.file).parent / written.rules),
        trusted_proxies=tuple(ip_network(text, strict=False) for text in written.trusted_proxies),
        proxy_protocol=written.proxy_protocol,
        api_key_parameters=tuple(map(_as_latin1, written.api_key_parameters)),
        cookie_for_visitors=any(group.sticky is Sticky.USER for group in groups.values()),
        cookie_for_all=any(group.sticky is Sticky.COOKIE for group in groups.values()),
        matcher=Matcher(
            build_tree((row.methods, pattern) for row, pattern in zip(config.rows, patterns, strict=True))
        ),
    )


def _backend(index: int, name: str, written: WrittenBackend) -> Backend:
    addresses = []
    for text in written.urls:
        url = urlsplit(text)
        addresses.append(Address(url.hostname or "", url.port or 80))
    return Backend(
        index=index,
        name=name,
        addresses=tuple(addresses),
        timeouts=written.timeouts,
        pool=written.pool,
        health=written.health,
        breaker=written.breaker,
        shadow=written.shadow,
    )


def _groups(config: WrittenConfig, backends: Mapping[str, int]) -> dict[str, Group]:
    written = config.written
    shared: dict[KeepOnLegacy, Guards] = {}
    bundle_of = {name: bundle for bundle, names in written.bundles.items() for name in names}
    groups = {}
    for index, (name, group) in enumerate(written.groups.items()):
        sticky, _, header = (group.sticky or written.defaults.sticky).partition(":")
        keep = group.keep_on_legacy or written.defaults.keep_on_legacy
        groups[name] = Group(
            index=index,
            name=name,
            stage=group.stage,
            percent=group.percent,
            threshold=round(group.percent * 100),
            from_backend=backends[group.from_ or written.defaults.from_],
            to_backend=backends[group.to or written.defaults.to],
            kill=group.kill or written.kill,
            sticky=Sticky(sticky),
            sticky_header=header.lower().encode(),
            guards=shared.setdefault(keep, _guards(keep)),
            pins=_pins(config, name, backends),
            shadow=group.shadow,
            ramp=group.ramp,
            bundle=bundle_of.get(name),
        )
    return groups


def _guards(keep: KeepOnLegacy) -> Guards:
    return Guards(
        query=tuple(map(_as_latin1, keep.query)),
        session=keep.session,
        headers=frozenset(spelling for name in keep.headers for spelling in header_spellings(name)),
    )


def _as_latin1(text: str) -> str:
    """Text whose characters are the UTF-8 bytes of `text`: how queries are searched."""
    return text.encode().decode("latin-1")


def _pins(config: WrittenConfig, group: str, backends: Mapping[str, int]) -> dict[bytes, int]:
    pins: dict[bytes, int] = {}
    for pin in config.written.pins:
        if pin.groups and group not in pin.groups:
            continue
        if pin.user is not None:
            subject = b"user:" + pin.user.encode()
        elif pin.cookie is not None:
            subject = b"cookie:" + pin.cookie.encode()
        else:
            subject = key_subject(_as_latin1(pin.api_key or ""))
        pins.setdefault(subject, backends[pin.to])
    return pins


def _body_limit(config: WrittenConfig, group: Group | None) -> int | None:
    if group is None:
        return config.written.limits.body
    own: WrittenGroup = config.written.groups[group.name]
    return config.written.defaults.body_limit if own.body_limit is None else own.body_limit
