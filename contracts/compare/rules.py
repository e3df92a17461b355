# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rules of a case by place: the JSON pointers of `noise` and `unordered` as one tree."""

from __future__ import annotations

from collections.abc import Iterable


class Rule:
    """What holds at one place, and the rules of the places below it by reference token."""

    __slots__ = ("below", "noise", "unordered")

    def __init__(self) -> None:
        self.noise = False
        self.unordered = False
        self.below: dict[str, Rule] = {}

    def at(self, pointer: str) -> Rule:
        """The rule at a JSON pointer, made where there is none."""
        rule = self
        for token in tokens(pointer):
            rule = rule.below.setdefault(token, Rule())
        return rule


def rules(noise: Iterable[str], unordered: Iterable[str]) -> Rule:
    """The tree of all rules, from the root of a recorded line."""
    root = Rule()
    for pointer in noise:
        root.at(pointer).noise = True
    for pointer in unordered:
        root.at(pointer).unordered = True
    return root


def tokens(pointer: str) -> list[str]:
    """The reference tokens of a JSON pointer (RFC 6901)."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def escaped(token: str) -> str:
    """A reference token as it stands in a pointer."""
    return token.replace("~", "~0").replace("/", "~1")
