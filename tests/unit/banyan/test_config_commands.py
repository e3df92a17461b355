# SPDX-License-Identifier: AGPL-3.0-or-later
"""`check`, `plan`, `explain`, `routes import`, `schema`: what they print and how they leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from banyan.cli import app
from railscompat.cookies import EncryptedCookies
from railscompat.marshal import Value

ROUTING = """\
version: 1
salt: s1
backends:
  legacy: {urls: ["${LEGACY_URL}"]}
  python: {urls: ["${PYTHON_URL}"]}
groups:
  tags: {percent: 50, routes: ["GET /tags/:id"]}
  up: {percent: 100, routes: [GET /up]}
  rest: {percent: 0, routes: [POST /tags]}
"""
URLS = {"LEGACY_URL": "http://127.0.0.1:1", "PYTHON_URL": "http://127.0.0.1:2"}
LISTING = """\
 tags GET  /tags(.:format)     tags#index
      POST /tags(.:format)     tags#create
      GET  /tags/:id(.:format) tags#show
      GET  /tags/new(.:format) tags#new
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "routing.yaml"
    file.write_text(ROUTING)
    return file


def run(*words: str | Path, environ: dict[str, str] | None = None, stdin: str | None = None) -> Result:
    return CliRunner(env=environ or {}).invoke(app, [str(word) for word in words], input=stdin)


def test_check_says_that_a_file_is_usable(file: Path) -> None:
    found = run("check", file, environ=URLS)
    assert found.exit_code == 0
    assert found.stdout == (
        f"{file} is usable: 3 routes, 3 of them in 3 groups; 1 moved, 1 moving, 1 at rest.\n"
    )


RULE = """\
version: 1
rules:
  - name: release
    fields: [/body/release]
    treat: same_type
    reason: Each side tells its own build.
    owner: api
    expires: 2999-12-31
"""


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        (("2999-12-31", "2001-12-31"), "8:14", "expired-rule"),
        (("same_type", "whatever"), "5:12", "wrong-type"),
    ],
)
def test_check_reads_the_rules_of_comparing(
    file: Path, change: tuple[str, str], place: str, code: str
) -> None:
    file.write_text("rules: rules.yaml\n" + ROUTING)
    rules = file.parent / "rules.yaml"
    rules.write_text(RULE)
    assert run("check", file, environ=URLS).exit_code == 0
    rules.write_text(RULE.replace(*change))
    found = run("check", file, environ=URLS)
    assert found.exit_code == 1
    first, _, remedy, *_ = found.stdout.splitlines()
    assert first == f"{rules}:{place}: error {code}"
    assert remedy.startswith("  → ")
    assert not json.loads(run("check", file, "--json", environ=URLS).stdout)["ok"]


def test_check_misses_rules_that_are_not_there(file: Path) -> None:
    file.write_text("rules: nowhere.yaml\n" + ROUTING)
    found = run("check", file, environ=URLS)
    assert found.exit_code == 1
    assert f"{file.parent / 'nowhere.yaml'}:1:1: error file-unreadable" in found.stdout


def test_check_names_every_finding(file: Path) -> None:
    file.write_text(ROUTING.replace("percent: 50", "precent: 50"))
    found = run("check", file)
    assert found.exit_code == 1
    assert found.stdout.splitlines() == [
        f"{file}:4:19: error unset-variable",
        "  ${LEGACY_URL} is not set in the environment",
        "  → Set it before the edge starts, for example LEGACY_URL=http://127.0.0.1:3000.",
        f"{file}:5:19: error unset-variable",
        "  ${PYTHON_URL} is not set in the environment",
        "  → Set it before the edge starts, for example PYTHON_URL=http://127.0.0.1:3000.",
        f"{file}:7:10: error unknown-key",
        "  a group has no key 'precent'",
        "  → Did you mean percent?",
        "",
        f"3 errors: {file} would not be used.",
    ]


def test_check_as_json(file: Path) -> None:
    file.write_text(ROUTING + "ramps: {slow: {steps: [1]}}\n")
    found = run("check", file, "--json", environ=URLS)
    assert found.exit_code == 0
    document = json.loads(found.stdout)
    assert document["ok"] is True
    (finding,) = document["findings"]
    assert (finding["severity"], finding["code"], finding["line"], finding["column"]) == (
        "warning",
        "unused-ramp",
        10,
        9,
    )


def test_check_can_do_without_the_environment(file: Path) -> None:
    assert run("check", file, "--allow-unset").exit_code == 0


def test_check_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    found = run("check", tmp_path / "nowhere.yaml")
    assert found.exit_code == 2
    assert "file-unreadable" in found.stdout


def test_plan_says_who_moves(file: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    new.write_text(ROUTING.replace("percent: 50", "percent: 75").replace("percent: 0", "percent: 60"))
    found = run("plan", file, new)
    assert found.exit_code == 0
    assert (
        found.stdout
        == """\
Moves
  tags: 50 % on python → 75 % on python
    25 % of the users go from legacy to python
    on GET /tags/:id
  rest: all on legacy → 60 % on python
    60 % of the users go from legacy to python
    on POST /tags

Risks
  large-step
    rest rises from 0 to 60 % in one step
"""
    )


def test_plan_of_no_change(file: Path) -> None:
    assert run("plan", file, file).stdout == "Nobody moves.\n"
    assert json.loads(run("plan", file, file, "--json").stdout) == {
        "moves": [],
        "added": [],
        "removed": [],
        "risks": [],
    }


def test_plan_of_a_broken_file(file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(ROUTING + "nonsense: 1\n")
    found = run("plan", file, broken)
    assert found.exit_code == 2
    assert "unknown-key" in found.stderr
    assert f"{broken} is broken: 1 error" in found.stderr


def test_explain_says_why(file: Path) -> None:
    found = run("explain", "GET /tags/7?x=1", "--as-user", "42", "--config", file)
    assert found.exit_code == 0
    assert (
        found.stdout
        == """\
GET /tags/7?x=1 → python
  route   GET /tags/:id
  group   tags, 50 % on python
  bucket  1308 of 10000, drawn from: user
  reason  share: bucket and percentage decided
"""
    )


def test_explain_as_json(file: Path) -> None:
    document = json.loads(run("explain", "DELETE /x", "--config", file, "--json", "--as-user", "42").stdout)
    assert document == {
        "route": "unmatched",
        "matched": "",
        "group": None,
        "generation": 0,
        "bucket": 1308,
        "percent": 0,
        "side": "legacy",
        "reason": "unmatched",
        "subject": "user",
    }


def test_explain_reads_session_cookies_with_the_secret(file: Path, tmp_path: Path) -> None:
    secret = "s" * 64
    session: dict[Value, Value] = {"warden.user.user.key": [[42], "salt"]}
    cookie = f"_loomio={EncryptedCookies(secret).encrypt('_loomio', session, nonce=bytes(12))}"
    (tmp_path / "secret").write_text(secret + "\n")
    for environ in ({"SECRET_KEY_BASE": secret}, {"SECRET_KEY_BASE_FILE": str(tmp_path / "secret")}):
        found = run("explain", "GET /tags/1", "--cookie", cookie, "--config", file, "--json", environ=environ)
        assert json.loads(found.stdout)["bucket"] == 1308


def test_explain_takes_headers(file: Path) -> None:
    words = ("explain", "POST /tags", "--config", file, "--header", "Content-Type: text/plain")
    assert run(*words).exit_code == 0
    assert run(*words, "--header", "nonsense").exit_code == 2


@pytest.mark.parametrize("request_line", ["", "GET", "/tags", "GET tags"])
def test_explain_wants_a_request(file: Path, request_line: str) -> None:
    found = run("explain", request_line, "--config", file)
    assert found.exit_code == 2
    assert "expected a method and a path" in found.stderr


def test_routes_are_imported_from_a_file_or_stdin(tmp_path: Path) -> None:
    listing = tmp_path / "listing.txt"
    listing.write_text(LISTING)
    output = tmp_path / "routes.yaml"
    written = run("routes", "import", listing, "--output", output)
    assert written.exit_code == 0
    assert written.stderr.splitlines() == [
        f"3 routes written to {output}",
        "left out: GET /tags/new(.:format) (web/tags#new): hidden by GET /tags/:id(.:format)",
    ]
    printed = run("routes", "import", stdin=LISTING)
    assert printed.stdout == output.read_text()
    assert printed.stdout.splitlines()[-3:] == [
        "- {method: GET,  path: /tags(.:format),     name: web/tags#index}",
        "- {method: POST, path: /tags(.:format),     name: web/tags#create, unsafe: not known to be repeatable}",
        "- {method: GET,  path: /tags/:id(.:format), name: web/tags#show}",
    ]


def test_marks_are_kept_when_a_listing_is_merged(tmp_path: Path) -> None:
    known = tmp_path / "routes.yaml"
    known.write_text(
        "version: 1\nroutes:\n- {method: POST, path: /tags, name: tags#create, unsafe: writes rows, body_token: true}\n"
    )
    found = run("routes", "import", "--merge", known, stdin=LISTING)
    assert "name: tags#create,    unsafe: writes rows, body_token: true}" in found.stdout


def test_what_cannot_be_imported(tmp_path: Path) -> None:
    assert run("routes", "import", stdin="nothing").exit_code == 2
    assert run("routes", "import", tmp_path / "nowhere").exit_code == 2
    known = tmp_path / "routes.yaml"
    known.write_text("version: 2\n")
    found = run("routes", "import", "--merge", known, stdin=LISTING)
    assert found.exit_code == 2
    assert f"{known} is broken" in found.stderr


def test_an_imported_catalogue_can_be_used(file: Path, tmp_path: Path) -> None:
    run("routes", "import", "--output", tmp_path / "routes.yaml", stdin=LISTING)
    file.write_text("catalogue: routes.yaml\n" + ROUTING.replace("GET /up", "web/tags#index"))
    assert run("check", file, environ=URLS).exit_code == 0


@pytest.mark.parametrize("of", ["routing", "routes"])
def test_schemas_are_printed(of: str) -> None:
    assert json.loads(run("schema", of).stdout)["type"] == "object"
