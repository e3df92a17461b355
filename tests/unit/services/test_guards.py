# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the services leave to Rails, the shipped routing file keeps there, and the handbook says so."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]

LEFT = {
    "query": {"membership_token", "discussion_reader_token", "stance_token", "unsubscribe_token"},
    "session": {"pending_*"},
    "headers": {"Authorization"},
}


def test_what_is_left_to_rails_stays_there() -> None:
    kept = yaml.safe_load((ROOT / "routing.yaml").read_text("utf-8"))["defaults"]["keep_on_legacy"]
    page = (ROOT / "docs" / "services.md").read_text("utf-8")
    section = page.partition("## What stays with Rails\n")[2].partition("\n## ")[0]
    for kind, names in LEFT.items():
        assert names <= set(kept[kind]), kind
        assert all(name in section for name in names), kind
