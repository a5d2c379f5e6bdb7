"""``trace``: the last reconciles of one object, from the memory of the controller that runs here."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from controller.actions.paths import complete
from controller.actions.trace import key_of, reconciles
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import Named, database, settings
from controller.cli.output import console, paragraph, say, table
from controller.cli.terminal import Text

_COLOURS = {"success": "green", "requeue_after": "", "terminal_error": "red", "panic": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="trace")(trace)


def trace(
    kind: Annotated[
        str, typer.Argument(help="Its kind, such as env, or KIND/UUID.", metavar="KIND", autocompletion=complete)
    ],
    name: Named = None,
    *,
    source: Annotated[
        str, typer.Option("--from", help="Where the controller listens; else SKYPANEL_LISTEN.", metavar="HOST:PORT")
    ] = "",
    output: Output = Format.TABLE,
) -> None:
    """Show the last reconciles of one object: what woke them, what they saw, planned and did, and for how long.

    The controller keeps the last five of an object in memory, the newest is shown last. It tells programs on its own
    machine only.

    **Examples**

        skypanel trace environment acme/shop/production
        skypanel trace environment/0b8f7f0e-7d0c-4c52-a1d4-0d6f0c1b9a11 --from 127.0.0.1:9470
        skypanel trace org acme -o json
    """
    found = key_of(kind, name, database)
    answer = reconciles(source or settings().skypanel_listen, found)
    if output is not Format.TABLE:
        emit({"kind": found.kind, "id": found.id, **answer}, output)
        return
    paragraph(Text(), f"{found.words}, by the {answer['role']} {answer['holder']} (epoch {answer['epoch']})", hang=2)
    if not answer["reconciles"]:
        say("no reconcile is recorded since this process became the leader, or it is no longer kept")
    for entry in answer["reconciles"]:
        show(entry)


def show(entry: dict[str, Any]) -> None:
    """One reconcile."""
    say()
    started = entry["startedAt"].replace("T", " ").replace("+00:00", " UTC")
    result = Text(entry["result"], style=_COLOURS.get(entry["result"], "yellow"))
    console().print(
        Text.assemble((started, "bold"), "  ", result, f" in {_milliseconds(entry['seconds'])}", _again(entry))
    )
    woken = " and ".join(entry["wokenBy"]) or "nothing known"
    say(f"  woken by {woken}, after {_milliseconds(entry['waitedSeconds'])} in the queue")
    if entry["times"] > 1:
        first = entry["firstStartedAt"].replace("T", " ").replace("+00:00", " UTC")
        say(f"  the last of {entry['times']} identical reconciles in a row, since {first}")
    live = ", ".join(f"{service} at version {version}" for service, version in entry["live"].items())
    paragraph(
        Text("  saw: "),
        f"row {entry['document']}, generation {entry['generation']}, {entry['inventory']} in the inventory; "
        f"live: {live or 'no service'}",
        hang=4,
    )
    if entry["reason"]:
        paragraph(Text("  "), f"{entry['reason']}: {entry['message']}", hang=4)
    table(
        ["  STEP", "TIME", "NOTE"],
        [[f"  {step['name']}", _milliseconds(step["seconds"]), step["note"]] for step in entry["steps"]],
        wrap="NOTE",
    )
    say(f"  reconcile_id {entry['reconcileId']}, epoch {entry['epoch']}")


def _again(entry: dict[str, Any]) -> str:
    seconds = entry["nextSeconds"]
    return "" if seconds is None else f", again after {seconds:.3g} s"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"
