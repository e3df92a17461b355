# SPDX-License-Identifier: AGPL-3.0-or-later
"""The run: for each case an origin and all subjects, then rounds of all subjects in turn."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.bench.cases import Case
from loadtests.bench.compare import DIRECT, Figures, rows
from loadtests.bench.configs import Ports
from loadtests.bench.generator import LoadError
from loadtests.bench.processes import StartError
from loadtests.bench.report import Row
from loadtests.bench.subjects import Recipe, Subject, start_nginx_origin, start_python_origin

_Started = dict[str, Subject]
_WRONG = (LoadError, StartError, OSError)


@dataclass
class Run:
    """`nginx`: the program that plays the origin where it can; None: Python does. Errors are collected."""

    recipes: dict[str, Recipe]
    rounds: int
    nginx: str | None
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)
    errors: list[str] = field(default_factory=list)

    def cases(self, cases: list[Case]) -> list[Row]:
        """Measure everything."""
        return [row for case in cases for row in self.case(case)]

    def case(self, case: Case) -> list[Row]:
        """All rounds of one case."""
        recipes = dict(case.own_recipes or {}) or {
            name: recipe for name, recipe in self.recipes.items() if not case.only_edge or "edge" in name
        }
        if not recipes:
            return []
        with ExitStack() as stack:
            try:
                origin = stack.enter_context(self._origin(case))
            except StartError as error:
                self.errors.append(f"{case.name}: {error}")
                return []
            subjects: _Started = {}
            if case.with_direct:
                subjects[DIRECT] = Subject(DIRECT, origin.legacy, None, [])
            if not case.fresh:
                for name, recipe in recipes.items():
                    with self._noting(case, name):
                        subjects[name] = stack.enter_context(_running(recipe, origin))
                        case.prepare(subjects[name])
            shown = []
            for number in range(1, self.rounds + 1):
                names = list(recipes) if case.fresh else list(subjects)
                shown.append(
                    {
                        name: figures
                        for name in names
                        if (figures := self._measure(case, number, name, subjects.get(name), recipes, origin))
                    }
                )
            for subject in subjects.values():
                self.errors += [f"{case.name}, {subject.name}: {problem}" for problem in subject.problems()]
        return rows(case.name, shown, case.reference)

    def _measure(
        self,
        case: Case,
        number: int,
        name: str,
        subject: Subject | None,
        recipes: dict[str, Recipe],
        origin: Ports,
    ) -> Figures:
        """One subject in one round; nothing where it went wrong."""
        figures: Figures = {}
        with self._noting(case, name):
            if subject is not None:
                figures = case.measure(subject, number)
            else:
                with _running(recipes[name], origin) as fresh:
                    case.prepare(fresh)
                    figures = case.measure(fresh, number)
            told = ", ".join(f"{metric} {value:,.2f}" for metric, value in figures.items())
            self.say(f"{case.name} · round {number} of {self.rounds} · {name}: {told}")
        return figures

    @contextmanager
    def _noting(self, case: Case, name: str) -> Iterator[None]:
        try:
            yield
        except _WRONG as error:
            self.errors.append(f"{case.name}, {name}: {str(error) or type(error).__name__}")
            self.say(f"ERROR {self.errors[-1]}")

    @contextmanager
    def _origin(self, case: Case) -> Iterator[Ports]:
        with tempfile.TemporaryDirectory(prefix="banyan-bench-origin-") as name:
            if case.needs_python_origin or self.nginx is None:
                child, ports = start_python_origin(Path(name))
            else:
                child, ports = start_nginx_origin(self.nginx, Path(name))
            try:
                yield ports
            finally:
                child.stop()


@contextmanager
def _running(recipe: Recipe, origin: Ports) -> Iterator[Subject]:
    with tempfile.TemporaryDirectory(prefix="banyan-bench-") as name:
        subject = recipe(Path(name), origin)
        try:
            yield subject
        finally:
            subject.stop()
