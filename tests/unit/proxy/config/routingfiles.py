# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small routing files for tests: written to a folder, loaded, and their findings looked at."""

from __future__ import annotations

from pathlib import Path

from proxy.config import Loaded, WrittenConfig, load

ENVIRON = {"LEGACY_URL": "http://127.0.0.1:3000", "PYTHON_URL": "http://127.0.0.1:4000"}

HEAD = """\
version: 1
salt: s1
backends:
  legacy: {urls: ["${LEGACY_URL}"]}
  python: {urls: ["${PYTHON_URL}"]}
"""

CATALOGUE = """\
version: 1
routes:
- {method: GET, path: /api/v1/tags(.:format), name: tags#index}
- {method: POST, path: /api/v1/tags(.:format), name: tags#create, unsafe: writes rows}
- {method: GET, path: /api/v1/tags/:id(.:format), name: tags#show}
- {method: PATCH|PUT, path: /api/v1/tags/:id(.:format), name: tags#update, unsafe: writes rows}
- {method: POST, path: /api/b2/tags(.:format), name: b2/tags#create, unsafe: writes rows, body_token: true}
- {method: GET, path: /up, name: web/health}
"""

WITH_CATALOGUE = "catalogue: routes.yaml\n" + HEAD


def load_text(
    folder: Path,
    text: str | bytes | None,
    catalogue: str | bytes | None = None,
    *,
    require_variables: bool = True,
) -> Loaded:
    """Write the files (None for one that is not there) into `folder` and load them."""
    for name, content in (("routing.yaml", text), ("routes.yaml", catalogue)):
        if content is not None:
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return load(folder / "routing.yaml", ENVIRON, require_variables=require_variables)


def usable(folder: Path, text: str, catalogue: str | None = None) -> WrittenConfig:
    """The configuration, which must have no errors."""
    loaded = load_text(folder, text, catalogue)
    assert loaded.errors == ()
    assert loaded.config is not None
    return loaded.config


def codes(loaded: Loaded) -> list[str]:
    """The codes of all findings, in order."""
    return [finding.code.value for finding in sorted([*loaded.errors, *loaded.warnings])]
