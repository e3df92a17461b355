# SPDX-License-Identifier: AGPL-3.0-or-later
"""The operator's words, ours, and files that are no good."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.settings import Settings, SettingsError
from services.kernel.texts import LARGEST_FILE, OURS, OURS_ALONE, VALUES, Texts, TextsError, load

SUBJECT, RESEND, DELETED = "email.login.subject", "email.common.resend", "profile_page.deleted_account"


def tree(key: str, text: Any) -> Any:
    for name in reversed(key.split(".")):
        text = {name: text}
    return text


def written(folder: Path, **files: Any) -> Path:
    for name, content in files.items():
        text = content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True)
        (folder / f"{name}.yml").write_text(text, "utf-8")
    return folder


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(TextsError) as caught:
        load(folder)
    return caught.value.problems


def test_our_own_words_are_whole() -> None:
    assert OURS["en"].keys() == VALUES.keys()
    for texts in OURS.values():
        for key, text in texts.items():
            assert set(re.findall(r"%\{(\w+)\}", text)) <= VALUES[key], key
    for key, names in VALUES.items():
        values = {name: f"<{name}>" for name in names}
        assert "%" not in OURS_ALONE.say(key, "fr", **values)


def test_the_operators_words_come_first_then_their_english_then_ours(tmp_path: Path) -> None:
    texts = load(
        written(
            tmp_path,
            **{
                "client.en": {"en": tree(DELETED, "Gone") | {"unused": {"key": 1}}},
                "server.en": {"en": tree(SUBJECT, "Come in to %{site_name}")},
                "server.fr": {"fr": tree(SUBJECT, "Entrez chez %{site_name}")},
            },
        )
    )
    assert texts.languages == ("en", "fr")
    assert texts.say(SUBJECT, "fr", site_name="Orchard") == "Entrez chez Orchard"
    assert texts.say(SUBJECT, "de", site_name="Orchard") == "Come in to Orchard"
    assert texts.say(DELETED, "fr") == "Gone"
    assert texts.say(RESEND, "fr") == OURS["en"][RESEND]
    assert OURS_ALONE.say(SUBJECT, "fr", site_name="Orchard") == "Identifiez-vous sur Orchard"


def test_the_later_file_counts_and_other_files_do_not(tmp_path: Path) -> None:
    written(tmp_path, a={"en": tree(RESEND, "one")}, b={"en": tree(RESEND, "two")})
    (tmp_path / "notes.txt").write_text("{{{")
    assert load(tmp_path).say(RESEND, "en") == "two"


def test_values_are_filled_in_as_they_are(tmp_path: Path) -> None:
    texts = load(
        written(tmp_path, a={"en": tree(SUBJECT, "100 %, %%{site_name}: %{site_name} & %{site_name}")})
    )
    assert texts.say(SUBJECT, "en", site_name="%{x} \\1") == "100 %, %{site_name}: %{x} \\1 & %{x} \\1"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"en": tree(SUBJECT, "Hello %{person}")}, "a.yml: en.email.login.subject asks for person"),
        ({"en": tree(SUBJECT, {"one": "x"})}, "a.yml: en.email.login.subject is no text"),
        ({"en": tree(SUBJECT, 7)}, "a.yml: en.email.login.subject is no text"),
        ("- a list", "a.yml is no mapping of languages"),
        ("", "a.yml is no mapping of languages"),
        ("en: {a: b", "a.yml is no YAML"),
        ("en: &a [*a, !!python/object/apply:os.system ['true']]", "a.yml is no YAML"),
        ("en: !!python/name:os.system", "a.yml is no YAML"),
        ("\x01", "a.yml is no YAML"),
        ("#" * (LARGEST_FILE + 1), "a.yml is larger than"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, content: Any, says: str) -> None:
    (problem,) = problems_of(written(tmp_path, a=content, b={"en": tree(RESEND, "fine")}))
    assert problem.startswith(says)


def test_bytes_that_are_no_text_are_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"en: \xff\xfe")
    assert problems_of(tmp_path)[0].startswith("a.yml is no YAML")


def test_a_folder_without_files_or_none_at_all_is_a_problem(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == [f"{tmp_path} has no locale files (*.yml)"]
    assert problems_of(tmp_path / "missing") == [f"{tmp_path / 'missing'}: No such file or directory"]
    (tmp_path / "a.yml").mkdir()
    assert problems_of(tmp_path) == ["a.yml: Is a directory"]


def test_they_are_a_setting(tmp_path: Path) -> None:
    least = {"DATABASE_URL": "postgres://h/db", "SECRET_KEY_BASE": "secret"}
    assert Settings.from_environment(least).texts == OURS_ALONE
    written(tmp_path, a={"en": tree(RESEND, "soon")}, b={"en": tree(SUBJECT, "%{x}")}, c="- ")
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"BANYAN_LOCALES": str(tmp_path), "BANYAN_LOG": "xml"})
    told = [problem.split(" ")[0] for problem in caught.value.problems]
    assert told.count("BANYAN_LOCALES:") == 2
    assert len(told) == 5
    (tmp_path / "b.yml").unlink()
    (tmp_path / "c.yml").unlink()
    settings = Settings.from_environment(least | {"BANYAN_LOCALES": str(tmp_path)})
    assert settings.texts == Texts(str(tmp_path), ("en",), {"en": {RESEND: "soon"}})


@given(st.text())
def test_no_text_of_a_value_is_read_as_a_template(value: str) -> None:
    assert OURS_ALONE.say(SUBJECT, "en", site_name=value) == f"Your sign-in code for {value}"
