# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which nested parameters a model takes, as strict as Rails' strong parameters with `raise`.

    COMMENT = permitted("body", "discussion_id", {"files": []}, {"link_previews": ["url", "title"]})
    values = COMMENT.require(body, "comment")

The notation is Rails' own (and that of boot's `permittedParams`): a name takes a plain value, `{name: []}` a
list of plain values, `{name: [names…]}` an object or a list of objects, `{name: {}}` anything. A name may be
there in several forms. What is not permitted is no detail that can be passed over: the request is a 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.kernel.errors import ParameterMissingError, UnpermittedParametersError


@dataclass(frozen=True, slots=True)
class Permitted:
    """The keys of one object, by what they take."""

    plain: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    anything: frozenset[str] = frozenset()
    nested: Mapping[str, Permitted] = field(default_factory=dict)

    def require(self, body: Mapping[str, Any], name: str) -> dict[str, Any]:
        """The object `name` of the request's body, with nothing in it that is not permitted.

        Raises `ParameterMissingError` where it is missing, empty or no object, `UnpermittedParametersError`.
        """
        value = body.get(name)
        if not isinstance(value, Mapping) or not value:
            raise ParameterMissingError(name)
        return self.filter(value)

    def filter(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The same object. Raises `UnpermittedParametersError` with every key that is not permitted."""
        wrong = [name for name, value in values.items() if not self._takes(name, value)]
        if wrong:
            raise UnpermittedParametersError(wrong)
        return {name: self._inner(name, value) for name, value in values.items()}

    def _takes(self, name: str, value: Any) -> bool:
        if name in self.anything:
            return True
        if isinstance(value, Mapping):
            return name in self.nested
        if isinstance(value, list):
            if name in self.nested and all(isinstance(one, Mapping) for one in value):
                return True
            return name in self.lists and not any(isinstance(one, (list, Mapping)) for one in value)
        return name in self.plain

    def _inner(self, name: str, value: Any) -> Any:
        if name in self.nested and isinstance(value, Mapping):
            return self.nested[name].filter(value)
        if name in self.nested and isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            return [self.nested[name].filter(one) for one in value]
        return value


def permitted(*names: str | Mapping[str, Any]) -> Permitted:
    """From Rails' notation."""
    plain: set[str] = set()
    lists: set[str] = set()
    anything: set[str] = set()
    nested: dict[str, Permitted] = {}
    for one in names:
        if isinstance(one, str):
            plain.add(one)
            continue
        for name, inner in one.items():
            if inner == []:
                lists.add(name)
            elif inner == {}:
                anything.add(name)
            else:
                nested[name] = permitted(*inner)
    return Permitted(frozenset(plain), frozenset(lists), frozenset(anything), nested)
