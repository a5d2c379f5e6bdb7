"""``gc``: show what the fuse holds back, and let it go when an operator has looked."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import psycopg
import typer
from rich.prompt import Confirm

from controller.cli.failures import CliError, ExitCode
from controller.cli.output import Format, emit, error_console, say, table
from controller.cli.session import Output, database
from controller.postgres.statements import PLAN_FOR_MANY, statement

_SHOWN_OWNERS, _SHOWN_NAMES = 100, 3
_WHY = {"absent": "its row is not there, and nobody deleted it", "reduced": "it stays, with less of it"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """One owner; ``name`` is empty when nothing knows it any more, ``made`` some of its objects."""

    kind: str
    id: str
    name: str
    organization: str
    why: str
    objects: int
    processes: int
    hosts: int
    made: Sequence[str]
    since: datetime
    confirmed_at: datetime | None
    confirmed_by: str | None

    @property
    def loses(self) -> str:
        """What would be taken away."""
        if self.objects:
            names = list(self.made[:_SHOWN_NAMES])
            more = (
                f"{'' if not names else ' and '}{self.objects - len(names)} more" if self.objects > len(names) else ""
            )
            return ", ".join(names) + more
        parts = [(self.processes, "process(es) stop"), (self.hosts, "host name(s) lead nowhere")]
        return ", ".join(f"{count} {what}" for count, what in parts if count)

    def is_meant_by(self, text: str) -> bool:
        """By its name or id, or by its organization's name, which means all of that."""
        return text in {self.name, self.id, f"{self.kind}/{self.id}", self.organization} - {""}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="gc")(gc)


def gc(
    owners: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OWNER]...", help="Only these: ORGANIZATION, ORGANIZATION/APP/ENVIRONMENT, or an id."),
    ] = None,
    *,
    confirm: Annotated[bool, typer.Option("--confirm", help="Let the controller take away what is shown.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show what waits for a confirmation before it is taken away, by owner, and with `--confirm` give it.

    What lives and whose row is gone without having been deleted waits, however little it is. When more would be lost at
    once than SKYPANEL_GC_FUSE_SHARE allows (an empty or older database, a slip that stops or unroutes many), nothing is
    taken away but what was confirmed here, until nothing waits any more. If the rows should be there, write them back.

    Exit code 0: nothing waits, or it was confirmed; 2: something waits.

    **Examples**

        skypanel gc

        skypanel gc --confirm

        skypanel gc --confirm acme other/shop/production
    """
    with database() as conn:
        tripped_at, live = _fuse(conn)
        waiting = _chosen(_waiting(conn), owners or [])
        open_ = [owner for owner in waiting if owner.confirmed_at is None]
        if not confirm or not open_:
            _report(waiting, tripped_at, live, form=output)
            if open_:
                raise typer.Exit(ExitCode.CHANGES)
            return
        if output is Format.TABLE:
            _list(open_, tripped_at, live)
            if (
                not yes
                and sys.stdin.isatty()
                and not Confirm.ask("Take it away?", console=error_console(), default=False)
            ):
                raise CliError("nothing was confirmed")
        confirmed = _confirm(conn, open_)
        if output is not Format.TABLE:
            again = {owner.id for owner in open_}
            _report([owner for owner in _waiting(conn) if owner.id in again], tripped_at, live, form=output)
        else:
            say(f"confirmed: {confirmed} owner(s); the controller goes on with them now")
        if confirmed < len(open_):
            raise CliError(
                f"{len(open_) - confirmed} owner(s) are not what was shown any more and were not confirmed",
                "run it again",
            )


def _fuse(conn: psycopg.Connection) -> tuple[datetime | None, int]:
    row = conn.execute(statement("store/fuse/read")).fetchone()
    assert row is not None
    return row[0], row[1]


def _waiting(conn: psycopg.Connection) -> list[Waiting]:
    with conn.transaction():
        conn.execute(PLAN_FOR_MANY)
        return [Waiting(*row) for row in conn.execute(statement("store/fuse/owners"))]


def _chosen(waiting: list[Waiting], asked: Sequence[str]) -> list[Waiting]:
    unknown = [text for text in asked if not any(owner.is_meant_by(text) for owner in waiting)]
    if unknown:
        raise CliError(f"nothing of {', '.join(unknown)} is held back", "`skypanel gc` lists what is")
    return [owner for owner in waiting if not asked or any(owner.is_meant_by(text) for text in asked)]


def _confirm(conn: psycopg.Connection, shown: Sequence[Waiting]) -> int:
    """Confirm each owner as it was shown; of how many that could be done."""
    with conn.transaction():
        conn.execute(PLAN_FOR_MANY)
        row = conn.execute(
            statement("store/fuse/confirm"),
            {
                "kinds": [owner.kind for owner in shown],
                "ids": [owner.id for owner in shown],
                "objects": [owner.objects for owner in shown],
                "processes": [owner.processes for owner in shown],
                "hosts": [owner.hosts for owner in shown],
            },
        ).fetchone()
    assert row is not None
    return int(row[0])


def _report(waiting: Sequence[Waiting], tripped_at: datetime | None, live: int, *, form: Format) -> None:
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
        say(
            "Let it go with `skypanel gc --confirm [OWNER]...`. If their rows should be there, write them back instead."
        )
    else:
        people = ", ".join(sorted({owner.confirmed_by or "" for owner in waiting}))
        say(f"{len(waiting)} owner(s) were confirmed by {people}: the controller takes away what was shown")


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
    what = [(objects, f"of {live} live objects"), (processes, "running process(es)"), (hosts, "host name(s)")]
    loss = ", ".join(f"{count} {name}" for count, name in what if count)
    if tripped_at is not None:
        say(f"The loss of {loss} is held back since {tripped_at:%Y-%m-%d %H:%M:%S %Z}, and all else that would go:")
    else:
        say(f"The loss of {loss} waits for a confirmation:")
    table(["  KIND", "NAME", "WHY", "LOSES"], _rows(waiting[:_SHOWN_OWNERS]))
    if len(waiting) > _SHOWN_OWNERS:
        say(f"  and {len(waiting) - _SHOWN_OWNERS} more owners: `skypanel gc -o json` lists all")


def _rows(waiting: Iterable[Waiting]) -> Iterable[list[str]]:
    for owner in waiting:
        name = owner.name or (f"{owner.id} of {owner.organization}" if owner.organization else owner.id)
        yield [f"  {owner.kind}", name, _WHY.get(owner.why, owner.why), owner.loses]
