"""``gc``: show what the mass-deletion fuse holds back, and let it go on when an operator has looked."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import psycopg
import typer
from rich.prompt import Confirm

from controller.cli.failures import CliError, ExitCode
from controller.cli.output import Format, emit, error_console, say, table
from controller.cli.session import Output, database
from controller.store.database import statement

_SHOWN_NAMES = 3


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="gc")(gc)


def gc(
    *,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Let the controller remove exactly what is shown.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show the removals that wait for a confirmation, and with `--confirm` give it.

    When more objects become unwanted at once than SKYPANEL_GC_FUSE_SHARE allows (an empty or restored database, for
    example), nothing is removed before somebody has looked. If their rows should be there, restore the database: the
    fuse then resets by itself.

    Exit code 0: nothing waits, or it was confirmed; 2: something waits.

    **Examples**

        skypanel gc

        skypanel gc --confirm
    """
    with database() as conn:
        held = _read(conn, lock=False)
        if held is None:
            _report(None, [], confirmed=False, form=output)
            return
        owners = conn.execute(statement("read_fuse_owners"), {"owners": held["doomed"]}).fetchall()
        if not confirm or held["confirmed_at"] is not None:
            _report(held, owners, confirmed=held["confirmed_at"] is not None, form=output)
            if held["confirmed_at"] is None:
                raise typer.Exit(ExitCode.CHANGES)
            return
        if output is Format.TABLE:
            _list(held, owners)
        if not yes and sys.stdin.isatty() and output is Format.TABLE:
            _ask()
        _confirm(conn, held)
        if output is Format.TABLE:
            say("confirmed: the controller removes them now")
        else:
            _report(held, owners, confirmed=True, form=output)


def _read(conn: psycopg.Connection, *, lock: bool) -> dict[str, Any] | None:
    """What is held back; None when the fuse has not tripped."""
    row = conn.execute(statement("fuse_read") + (" FOR UPDATE" if lock else "")).fetchone()
    if row is None or row[0] is None:
        return None
    names = ("tripped_at", "doomed", "doomed_count", "live_count", "confirmed_at", "confirmed_by")
    return dict(zip(names, row, strict=True))


def _ask() -> None:
    if not Confirm.ask("Remove them?", console=error_console(), default=False):
        raise CliError("nothing was confirmed")


def _confirm(conn: psycopg.Connection, shown: dict[str, Any]) -> None:
    """Confirm what was shown, and nothing that came since.

    Raises:
        CliError: what is held back is not what was shown.
    """
    with conn.transaction():
        now = _read(conn, lock=True)
        if now is None or now["doomed"] != shown["doomed"]:
            raise CliError("what is held back has changed since it was shown; nothing was confirmed", "run it again")
        conn.execute(statement("fuse_confirm"))


def _report(held: dict[str, Any] | None, owners: list[Any], *, confirmed: bool, form: Format) -> None:
    if form is not Format.TABLE:
        emit(
            {
                "held": held is not None,
                "confirmed": confirmed,
                "objects": held["doomed_count"] if held else 0,
                "live": held["live_count"] if held else None,
                "trippedAt": held["tripped_at"] if held else None,
                "owners": [{"owner": owner, "name": name, "objects": made} for owner, name, made in owners],
            },
            form,
        )
    elif held is None:
        say("nothing is held back")
    else:
        _list(held, owners)
        if confirmed:
            say(f"confirmed by {held['confirmed_by']}: the controller removes them")
        else:
            say(
                "Remove them with `skypanel gc --confirm`. If their rows should be there, restore the database instead."
            )


def _list(held: dict[str, Any], owners: list[Any]) -> None:
    say(
        f"The removal of {held['doomed_count']} of {held['live_count']} live objects is held back "
        f"since {held['tripped_at']:%Y-%m-%d %H:%M:%S %Z}:"
    )
    rows = []
    for owner, name, made in owners:
        kind, _, object_id = owner.partition("/")
        more = f" and {len(made) - _SHOWN_NAMES} more" if len(made) > _SHOWN_NAMES else ""
        rows.append([f"  {kind}", name or object_id, str(len(made)), ", ".join(made[:_SHOWN_NAMES]) + more])
    table(["  KIND", "NAME", "OBJECTS", "WHICH"], rows)
