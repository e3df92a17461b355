# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `bin/rails routes` prints, in both forms, for applications of any kind."""

from __future__ import annotations

import pytest

from proxy.config.rails_listing import ListingError, import_listing, merge
from proxy.config.written import CatalogueRow, Repeat

TABLE = """\
                  Prefix Verb     URI Pattern                              Controller#Action
      rails_health_check GET      /up(.:format)     rails/health#show
             sidekiq_web          /jobs     Sidekiq::Web
                    root GET      /      home#index
             api_v1_tags GET      /api/v1/tags(.:format)     api/v1/tags#index {:format=>:json}
                         POST     /api/v1/tags(.:format)     api/v1/tags#create {:format=>:json}
              api_v1_tag GET      /api/v1/tags/:id(.:format)     api/v1/tags#show {:format=>:json, :id=>/\\d+|a\\/b/i}
                         PATCH    /api/v1/tags/:id(.:format)     api/v1/tags#update {:format=>:json}
                b2_polls GET      /api/b2/polls(.:format)     api/b2/polls#index
                  search GET|POST /search(.:format)     search#run {id: /x/, subdomain: "api"}
                 anything         /any/:id(.:format)     any#thing
                         GET      /old(.:format)     redirect(301, /new)
                         GET      /proc(.:format)     Inline handler (Proc/Lambda)
                   files GET      /files/*path(.:format)
    a_very_long_controller_name#show_it
                         GET      /api/v1/tags/:id(.:format)     api/v1/tags#again
                   outer          /      Outer::Engine

Routes for Sidekiq::Web:
      GET /busy sidekiq#busy

Routes for Outer::Engine:
   plan GET /plans/:id(.:format) outer/plans#show
"""


def test_the_table() -> None:
    found = import_listing(TABLE)
    assert [(row.method, row.path, row.name) for row in found.rows] == [
        ("GET", "/up(.:format)", "web/rails/health#show"),
        ("ANY", "/jobs", "web/sidekiq_web"),
        ("GET", "/", "web/home#index"),
        ("GET", "/api/v1/tags(.:format)", "tags#index"),
        ("POST", "/api/v1/tags(.:format)", "tags#create"),
        ("GET", "/api/v1/tags/:id(.:format)", "tags#show"),
        ("PATCH", "/api/v1/tags/:id(.:format)", "tags#update"),
        ("GET", "/api/b2/polls(.:format)", "b2/polls#index"),
        ("GET|POST", "/search(.:format)", "web/search#run"),
        ("ANY", "/any/:id(.:format)", "web/any#thing"),
        ("GET", "/old(.:format)", "web/redirect"),
        ("GET", "/proc(.:format)", "web/inline"),
        ("GET", "/files/*path(.:format)", "web/a_very_long_controller_name#show_it"),
        ("GET", "/api/v1/tags/:id(.:format)", "tags#again"),
        ("GET", "/plans/:id(.:format)", "web/outer/plans#show"),
    ]
    rows = {row.name: row for row in found.rows}
    assert rows["web/sidekiq_web"].mount
    assert rows["tags#show"].constraints == {"id": r"(?i:\d+|a\/b)"}
    assert rows["web/search#run"].constraints == {}
    assert (rows["tags#create"].repeat, rows["tags#show"].repeat) == (Repeat.UNSAFE, Repeat.SAFE)
    assert rows["web/any#thing"].repeat is Repeat.UNSAFE


EXPANDED = """\
--[ Route 1 ]-----------------------------------------------------------------
Prefix            | rails_health_check
Verb              | GET
URI               | /up(.:format)
Controller#Action | rails/health#show
Source Location   | config/routes.rb:2
--[ Route 2 ]-----------------------------------------------------------------
Prefix            |
Verb              | DELETE
URI               | /api/v1/tags/:id(.:format)
Controller#Action | api/v1/tags#destroy {:format=>"json",
 :id=>/[a-z]+/}
--[ Route 3 ]-----------------------------------------------------------------
Prefix            | jobs
Verb              |
URI               | /jobs
Controller#Action | Sidekiq::Web

[ Routes for Sidekiq::Web ]
--[ Route 1 ]-----------------------------------------------------------------
Prefix            |
Verb              | GET
URI               | /busy
Controller#Action | sidekiq#busy
"""


def test_expanded_blocks() -> None:
    found = import_listing(EXPANDED)
    assert [(row.method, row.path, row.name, row.mount) for row in found.rows] == [
        ("GET", "/up(.:format)", "web/rails/health#show", False),
        ("DELETE", "/api/v1/tags/:id(.:format)", "tags#destroy", False),
        ("ANY", "/jobs", "web/sidekiq_web", True),
    ]
    assert found.rows[1].constraints == {"id": "[a-z]+"}


def test_routes_that_rails_never_reaches_are_left_out_and_named() -> None:
    found = import_listing(
        """\
 a GET /x/:id(.:format) x#show
 b GET /x/new(.:format) x#new
"""
    )
    assert [row.name for row in found.rows] == ["web/x#show"]
    assert found.left_out == ("GET /x/new(.:format) (web/x#new): hidden by GET /x/:id(.:format)",)


def test_an_engine_at_the_root_without_routes_is_named() -> None:
    found = import_listing(" a GET /x x#show\n e /  Blog::Engine\n")
    assert [row.path for row in found.rows] == ["/x"]
    assert found.left_out[0].startswith("Blog::Engine at /")


@pytest.mark.parametrize(
    "text", ["", "no routes here", "Prefix Verb URI Pattern Controller#Action\n", "\x00\xff"]
)
def test_what_is_no_listing(text: str) -> None:
    with pytest.raises(ListingError):
        import_listing(text)


def test_merging_keeps_names_and_marks() -> None:
    known = (
        CatalogueRow(("GET",), "/x/:id", "things#show", Repeat.DRY, "counts", True),
        CatalogueRow(("GET",), "/gone", "gone#index"),
    )
    rows = import_listing(" a GET /x/:id(.:format) x#show\n b POST /x(.:format) x#create\n").rows
    merged = merge(rows, known)
    assert [(row.path, row.name, row.repeat, row.why, row.body_token) for row in merged] == [
        ("/x/:id(.:format)", "things#show", Repeat.DRY, "counts", True),
        ("/x(.:format)", "web/x#create", Repeat.UNSAFE, "not known to be repeatable", False),
    ]
