# SPDX-License-Identifier: AGPL-3.0-or-later
"""The file of declared rules: every error has a line, a code and a remedy, and a rule whose day is over is one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from proxy.config.errors import Code, Findings
from proxy.experiment.judge import Treat
from proxy.experiment.rules import RulesError, load_rules, parse_rules, read_rules

TODAY = date(2030, 6, 1)
SHIPPED = Path(__file__).parents[4] / "contracts" / "rules.yaml"
GOOD = """version: 1
rules:
  - name: a-rule
    fields: [/body/at]
    treat: time
    within: 1.5h
    reason: It depends on the clock.
    owner: me
    expires: 2030-06-01
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(text)
    return path


def test_a_rule_holds_on_its_last_day(tmp_path: Path) -> None:
    (rule,) = load_rules(write(tmp_path, GOOD), TODAY).declared
    assert (rule.name, rule.treat, rule.within, rule.routes) == ("a-rule", Treat.TIME, 5400, ("*",))


def test_a_day_later_it_is_an_error_or_no_rule(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    with pytest.raises(RulesError) as caught:
        load_rules(path, date(2030, 6, 2))
    (error,) = caught.value.errors
    assert (error.file, error.line, error.code) == (str(path), 9, Code.EXPIRED_RULE)
    assert "owner: me" in error.message
    assert error.remedy.endswith(".")
    assert load_rules(path, date(2030, 6, 2), drop_expired=True).declared == ()


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("    within: 1.5h\n", "", Code.MISSING_KEY, 5),
        ("treat: time", "treat: ignore", Code.UNKNOWN_KEY, 6),
        ("treat: time", "treat: forget", Code.WRONG_TYPE, 5),
        ("within: 1.5h", "within: soon", Code.WRONG_TYPE, 6),
        ("    owner: me\n", "", Code.MISSING_KEY, 3),
        ("    reason: It depends on the clock.\n", "", Code.MISSING_KEY, 3),
        ("reason: It depends on the clock.", "reason: why", Code.BAD_VALUE, 7),
        ("[/body/at]", "[body/at]", Code.BAD_VALUE, 4),
        ("[/body/at]", "[]", Code.OUT_OF_RANGE, 4),
        ("2030-06-01", "2030-06-31", Code.WRONG_TYPE, 9),
        ("version: 1", "version: 2", Code.OUT_OF_RANGE, 1),
        ("owner: me", "owner: me\n    ownr: you", Code.UNKNOWN_KEY, 9),
        ("treat: time\n    within: 1.5h", "treat: masked\n    pattern: '('", Code.BAD_VALUE, 6),
        ("rules:", "rules: [", Code.YAML_SYNTAX, 3),
    ],
)
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, code: Code, line: int) -> None:
    loaded = parse_rules(GOOD.replace(old, new).encode(), Findings("f"), TODAY)
    assert (loaded.errors[0].code, loaded.errors[0].line) == (code, line)
    assert loaded.errors[0].remedy


def test_two_rules_of_one_name() -> None:
    twice = GOOD + GOOD.partition("rules:\n")[2]
    (error,) = parse_rules(twice.encode(), Findings("f"), TODAY).errors
    assert (error.code, error.line) == (Code.DUPLICATE_KEY, 10)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (error,) = read_rules(tmp_path / "none.yaml", TODAY).errors
    assert error.code is Code.FILE_UNREADABLE


def test_the_shipped_rules_are_sound_and_each_ends_within_two_years() -> None:
    rules = load_rules(SHIPPED, date(2026, 11, 24)).declared
    assert rules
    assert all(rule.owner and rule.reason and rule.expires <= date(2028, 12, 31) for rule in rules)
