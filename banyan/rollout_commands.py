# SPDX-License-Identifier: AGPL-3.0-or-later
"""`banyan rollout …`, `can-i-shift` and `history`: an edge's rollout, asked for and moved over its admin port."""

from __future__ import annotations

import os
import time
from typing import Annotated, Any, NoReturn

import typer

from banyan.output import Exit, fail, print_json

Group = Annotated[str, typer.Argument(metavar="GROUP", help="A group of the routing file, or a bundle.")]
Admin = Annotated[
    str,
    typer.Option(
        metavar="URL", envvar="BANYAN_ADMIN_URL", help="The admin port of an edge; of several, any one."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]
By = Annotated[
    str, typer.Option(metavar="NAME", envvar="BANYAN_OPERATOR", help="Who asks; stands in the journal.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; stands in the journal.")]

_ADMIN = "http://127.0.0.1:8081"
_EXITS = {"yes": Exit.OK, "no": Exit.NO, "not-enough-evidence": Exit.NOT_ENOUGH}

rollout = typer.Typer(
    help="Watch and move the share of users that a group sends to the new side.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.add_typer(rollout, name="rollout")
    app.command("can-i-shift")(can_i_shift)
    app.command("history")(history)


def _somebody() -> str:
    return os.environ.get("USER") or "somebody"


def ask(admin: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """An answer of the admin port. Leaves with a message where there is none, or a refusal."""
    import json
    import urllib.error
    import urllib.request

    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("BANYAN_ADMIN_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    if not admin.startswith(("http://", "https://")):
        fail(f"--admin {admin!r} is no URL such as {_ADMIN}")
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(admin.rstrip("/") + path, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        _refused(error.code, error.read())
    except (OSError, ValueError) as error:
        fail(f"no edge answers at {admin}: {getattr(error, 'reason', error)}")


def _refused(status: int, body: bytes) -> NoReturn:
    import json

    try:
        message = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        message = f"the edge answered {status}"
    # 409: understood, and not now; 503: nobody to agree with. Anything else was asked wrongly.
    fail(message, Exit.NO if status in (409, 503) else Exit.BROKEN)


def _path(group: str, rest: str = "") -> str:
    from urllib.parse import quote

    return f"/rollout/{quote(group, safe='')}{rest}"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@rollout.command()
def status(
    group: Annotated[str | None, typer.Argument(metavar="[GROUP]", help="Only this one, in full.")] = None,
    admin: Admin = _ADMIN,
    as_json: Json = False,
) -> None:
    """Where every group stands, or one in full: phase, share, what the gates say, what is waited for."""
    if group is None:
        told = ask(admin, "/rollout")
        print_json(told) if as_json else _print_overview(told)
    else:
        told = ask(admin, _path(group))
        print_json(told) if as_json else _print_unit(told)


@rollout.command()
def watch(
    group: Annotated[str | None, typer.Argument(metavar="[GROUP]", help="Only this one, in full.")] = None,
    admin: Admin = _ADMIN,
    every: Annotated[float, typer.Option(metavar="SECONDS", min=0.2, help="How often to look.")] = 2.0,
) -> None:
    """As status, again and again, until Ctrl-C."""
    import contextlib

    with contextlib.suppress(KeyboardInterrupt):
        while True:
            told = ask(admin, "/rollout" if group is None else _path(group))
            typer.echo("\x1b[2J\x1b[H", nl=False)  # a clean screen
            _print_overview(told) if group is None else _print_unit(told)
            time.sleep(every)


def _print_overview(told: dict[str, Any]) -> None:
    for what, complaint in (("store", told["store"]), ("journal", told["journal"])):
        if complaint:
            typer.echo(f"The {what} is away: {complaint}")
    if told["frozen"]:
        typer.echo("Frozen: no share rises until `banyan rollout thaw`.")
    width = max((len(unit["unit"]) for unit in told["units"]), default=0)
    for unit in sorted(told["units"], key=lambda one: (one["stage"] is None, one["stage"] or 0, one["unit"])):
        stage = "" if unit["stage"] is None else unit["stage"]
        line = f"{stage!s:>3}  {unit['unit']:{width}}  {unit['phase']:11}  {unit['share']:6g} %"
        typer.echo(f"{line}  {_in_short(unit)}".rstrip())
    names = ", ".join(
        f"{one['replica']}{' (leads)' if one['leads'] else ''}{'' if one['agrees'] else ' (has other shares)'}"
        for one in told["replicas"]
    )
    typer.echo(f"Edges: {names or told['replica']}")


def _in_short(unit: dict[str, Any]) -> str:
    if unit["verdict"] is None:
        return ""
    words = f"{unit['verdict']}"
    if unit["waits_for"]:
        words += f", waits for {unit['waits_for']}"
    if unit["estimate"]:
        words += f", about {_span(unit['estimate'])} of evidence are missing"
    return words


def _print_unit(unit: dict[str, Any]) -> None:
    typer.echo(f"{unit['unit']}: {unit['phase']} at {unit['share']:g} % ({unit['old']} → {unit['new']})")
    if len(unit["groups"]) > 1:
        typer.echo(f"  moves together  {', '.join(unit['groups'])}")
    if unit["steps"]:
        typer.echo(f"  steps           {' → '.join(f'{step:g}' for step in unit['steps'])} %")
    if unit["build"]:
        typer.echo(f"  build           {unit['build']}")
    if unit["reason"]:
        typer.echo(f"  because         {unit['reason']}{' (' + unit['by'] + ')' if unit['by'] else ''}")
    if unit["seconds"]:
        typer.echo(f"  evidence since  {_span(unit['seconds'])}")
    if unit["waits_for"]:
        typer.echo(f"  waits for       {unit['waits_for']}: {'; '.join(unit['reasons'])}")
    if unit["estimate"]:
        typer.echo(f"  missing         about {_span(unit['estimate'])} at today's traffic")
    elif unit["estimate"] is None and unit["waits_for"] == "evidence":
        typer.echo("  missing         waiting alone does not help")
    _print_verdicts(unit["verdicts"])
    if unit["possible"]:
        typer.echo(f"  possible        {', '.join(unit['possible'])}")


def _print_verdicts(verdicts: list[dict[str, Any]]) -> None:
    several = len({verdict["group"] for verdict in verdicts}) > 1
    for verdict in verdicts:
        sign = {"pass": "+", "fail": "-"}.get(verdict["outcome"], "?")
        name = f"{verdict['gate']} ({verdict['group']})" if several else verdict["gate"]
        typer.echo(f"  {sign} {name:14} {verdict['reason']}")


def _order(
    verb: str,
    group: str,
    admin: str,
    by: str,
    reason: str,
    dry_run: bool,
    as_json: bool,
    percent: float = 0.0,
) -> None:
    body = {"by": by or _somebody(), "reason": reason, "percent": percent, "dry_run": dry_run}
    done = ask(admin, _path(group, f"/{verb}"), body)
    if as_json:
        print_json(done)
        return
    before, after = done["before"], done["after"]
    would = "would be" if done["dry_run"] else "is now"
    typer.echo(
        f"{done['unit']} {would} {after['phase']} at {after['share']:g} % "
        f"(it was {before['phase']} at {before['share']:g} %)"
    )
    if done["also"]:
        typer.echo(f"With it {'would go' if done['dry_run'] else 'went'} back: {', '.join(done['also'])}")
    if done["pending"]:
        typer.echo(
            "Done on this edge; the others are told as soon as the store is back. Ask each of them too."
        )


def _offer(verb: str, says: str) -> None:
    """Add the command that orders `verb` for a group."""

    @rollout.command(verb, help=says)
    def order(
        group: Group,
        admin: Admin = _ADMIN,
        by: By = "",
        reason: Reason = "",
        dry_run: DryRun = False,
        as_json: Json = False,
    ) -> None:
        _order(verb, group, admin, by, reason, dry_run, as_json)


_offer("start", "Begin a ramp: compare first, then rise step by step.")
_offer("pause", "Hold the share; it still falls when a gate fails.")
_offer("resume", "Let a paused ramp go on.")
_offer("confirm", "Agree to the next step, where the ramp asks for a person.")


@rollout.command()
def back(
    group: Group,
    to: Annotated[float, typer.Option(metavar="PERCENT", min=0, max=100, help="The lower share.")] = 0.0,
    admin: Admin = _ADMIN,
    by: By = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Lower the share, to 0 if nothing else is said. From stage 9 on the stage goes back as a whole."""
    _order("back", group, admin, by, reason, dry_run, as_json, to)


_offer(
    "kill",
    "Everything to the old side, at once, whatever else is known. Works with Redis and PostgreSQL away.",
)
_offer("unkill", "Lift a kill. The share stays 0 until somebody starts the group anew.")
_offer("retire", "Say that a group at full is done for good: nothing takes it back any more.")


@rollout.command()
def freeze(
    admin: Admin = _ADMIN, by: By = "", reason: Reason = "", dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Let no share rise, of any group; falling goes on."""
    _freeze("freeze", admin, by, reason, dry_run, as_json)


@rollout.command()
def thaw(
    admin: Admin = _ADMIN, by: By = "", reason: Reason = "", dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Lift a freeze."""
    _freeze("thaw", admin, by, reason, dry_run, as_json)


def _freeze(what: str, admin: str, by: str, reason: str, dry_run: bool, as_json: bool) -> None:
    done = ask(admin, f"/rollout/{what}", {"by": by or _somebody(), "reason": reason, "dry_run": dry_run})
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{'Would be' if dry_run else 'Now'} {'frozen' if done['frozen'] else 'free to rise'}.")


@rollout.command()
def prove(
    group: Group,
    build: Annotated[
        str, typer.Option(metavar="BUILD", help="The build of the new side that was run against.")
    ],
    kind: Annotated[
        str, typer.Option(metavar="verify-writes|replay", help="What was run.")
    ] = "verify-writes",
    green: Annotated[bool, typer.Option("--green/--red", help="Whether it found nothing.")] = True,
    cases: Annotated[int, typer.Option(metavar="N", min=0, help="How many cases it ran.")] = 0,
    admin: Admin = _ADMIN,
    by: By = "",
    as_json: Json = False,
) -> None:
    """Put a run of `contracts verify-writes` or `replay` on record: what writes need instead of comparing."""
    if kind not in ("verify-writes", "replay"):
        fail(f"--kind {kind!r} is neither verify-writes nor replay")
    body = {"kind": kind, "build": build, "green": green, "cases": cases, "by": by or _somebody()}
    proof = ask(admin, _path(group, "/proof"), body)
    if as_json:
        print_json(proof)
    else:
        typer.echo(f"On record: contracts {kind} of build {build}, {'green' if green else 'red'}.")


def can_i_shift(
    group: Group,
    percent: Annotated[float, typer.Argument(metavar="PERCENT", min=0, max=100)],
    admin: Admin = _ADMIN,
    as_json: Json = False,
) -> None:
    """May a group be shifted to a share, by the evidence of now?

    Exit codes: 0 yes, 1 no, 3 not enough evidence; 2 where the question is wrong.
    """
    told = ask(admin, _path(group, f"/can-shift?percent={percent}"))
    if as_json:
        print_json(told)
    else:
        words = {"yes": "Yes", "no": "No", "not-enough-evidence": "Not enough evidence"}[told["answer"]]
        typer.echo(f"{words}: {told['unit']} from {told['share']:g} % to {percent:g} %")
        for reason in told["reasons"]:
            typer.echo(f"  {reason}")
        _print_verdicts(told["verdicts"])
    raise SystemExit(int(_EXITS[told["answer"]]))


def history(
    group: Annotated[str | None, typer.Argument(metavar="[GROUP]", help="Only of this one.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="At most so many lines.")] = 50,
    admin: Admin = _ADMIN,
    as_json: Json = False,
) -> None:
    """Who or what changed which share, when and why; the newest first."""
    from datetime import datetime

    path = f"/rollout-history?limit={limit}" if group is None else _path(group, f"/history?limit={limit}")
    entries = ask(admin, path)
    if as_json:
        print_json(entries)
        return
    for entry in entries:
        at = datetime.fromtimestamp(entry["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        share = f"{entry['share_from']:g} → {entry['share_to']:g} %"
        typer.echo(f"{at}  {entry['unit']}  {entry['event']:8} {share:14} {entry['by']}: {entry['reason']}")
    if not entries:
        typer.echo("Nothing was changed yet.")
