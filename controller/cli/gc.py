"""``gc``: show what the fuse holds back, and confirm its removal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from controller.actions import fuse
from controller.actions.errors import ActionError
from controller.actions.fuse import Waiting
from controller.actions.paths import form
from controller.cli.errors import ExitCode
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import database
from controller.cli.output import counted, paragraph, say, says_yes
from controller.cli.terminal import Text
from specs.kinds import KINDS

_SHOWN_OWNERS = 100
_WHY = {"absent": "its row is missing", "reduced": "it loses a part"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="gc")(gc)


def gc(
    owners: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="OWNER",
            help=f"Only these: {', '.join(form(kind) for kind in KINDS if KINDS[kind].facts.reconciled)}, or an id.",
        ),
    ] = None,
    *,
    confirm: Annotated[bool, typer.Option("--confirm", help="Confirm the removal of what is shown.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show which removals wait for confirmation, by owner, and confirm them with `--confirm`.

    Objects whose rows are gone without having been deleted always wait. When more would be lost at once than
    SKYPANEL_GC_FUSE_SHARE allows (an empty or older database, a mistake that stops or unroutes many), only what is
    confirmed here is removed, until nothing waits any more. If the rows should exist, restore them instead.

    Exit code 0: nothing waits, or it was confirmed; 2: something waits.

    **Examples**

        skypanel gc
        skypanel gc --confirm
        skypanel gc --confirm acme other/shop/production
    """
    with database(as_controller=True, tells=True) as conn:
        tripped_at, live = fuse.state(conn)
        waiting = fuse.chosen(fuse.waiting(conn), owners or [])
        open_ = [owner for owner in waiting if owner.confirmed_at is None]
        if not confirm or not open_:
            report(waiting, tripped_at, live, form=output)
            if open_:
                raise typer.Exit(ExitCode.CHANGES)
            return
        if output is Format.TABLE:
            _list(open_, tripped_at, live)
            if not yes and sys.stdin.isatty() and not says_yes("Remove it?"):
                say("nothing was confirmed")
                raise typer.Exit(ExitCode.ERROR)
        confirmed = fuse.confirm(conn, open_)
        if output is not Format.TABLE:
            again = {owner.id for owner in open_}
            report([owner for owner in fuse.waiting(conn) if owner.id in again], tripped_at, live, form=output)
        else:
            say(f"confirmed: {counted(confirmed, 'owner')}; the controller continues with them now")
        if confirmed < len(open_):
            raise ActionError(
                f"{len(open_) - confirmed} of them changed since they were shown and were not confirmed",
                "run it again",
            )


def report(waiting: Sequence[Waiting], tripped_at: datetime | None, live: int, *, form: Format) -> None:
    """What waits, in the ``form`` that was asked for."""
    open_ = [owner for owner in waiting if owner.confirmed_at is None]
    if form is not Format.TABLE:
        emit(
            {
                "held": bool(waiting),
                "confirmed": bool(waiting) and not open_,
                "objects": sum(owner.objects for owner in waiting),
                "live": live if waiting else None,
                "trippedAt": tripped_at,
                "owners": [_document(owner) for owner in waiting],
            },
            form,
        )
    elif not waiting:
        say("nothing is held back")
    elif open_:
        _list(open_, tripped_at, live)
        say("Confirm with `skypanel gc --confirm [OWNER]...`. If the rows should exist, restore them instead.")
    else:
        people = ", ".join(sorted({owner.confirmed_by or "" for owner in waiting}))
        say(f"confirmed by {people}: the controller is removing what was shown of {counted(len(waiting), 'owner')}")


def _document(owner: Waiting) -> dict[str, object]:
    return {
        "owner": f"{owner.kind}/{owner.id}",
        "name": owner.name or None,
        "organization": owner.organization or None,
        "why": owner.why,
        "objects": owner.objects,
        "processes": owner.processes,
        "hosts": owner.hosts,
        "since": owner.since,
        "confirmedAt": owner.confirmed_at,
        "confirmedBy": owner.confirmed_by,
    }


def _list(waiting: Sequence[Waiting], tripped_at: datetime | None, live: int) -> None:
    objects, processes, hosts = (
        sum(v) for v in zip(*((w.objects, w.processes, w.hosts) for w in waiting), strict=True)
    )
    parts = [f"{objects} of {counted(live, 'live object')}"] if objects else []
    parts += [counted(processes, "running process", "es")] if processes else []
    loss = ", ".join([*parts, counted(hosts, "host name")] if hosts else parts)
    if tripped_at is not None:
        say(f"The removal of {loss} is held back since {tripped_at:%Y-%m-%d %H:%M:%S %Z}, with all other removals:")
    else:
        say(f"The removal of {loss} waits for a confirmation:")
    for owner in waiting[:_SHOWN_OWNERS]:
        name = owner.name or (f"{owner.id} of {owner.organization}" if owner.organization else owner.id)
        say(f"  {owner.kind} {name}")
        paragraph(Text(" " * 6), f"{_WHY.get(owner.why, owner.why)}: {owner.loses}")
    if len(waiting) > _SHOWN_OWNERS:
        say(f"  and {len(waiting) - _SHOWN_OWNERS} more owners: `skypanel gc -o json` lists all")
