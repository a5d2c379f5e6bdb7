"""``identity``: whether database, Swarm and installation belong together, and to say that what was found is meant."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

import psycopg
import typer
from rich.prompt import Confirm

from controller.cli.checks import Check, fail, ok, warn
from controller.cli.engine import client
from controller.cli.failures import CliError, ExitCode
from controller.cli.output import Format, emit, error_console, say
from controller.cli.session import Output, database, settings
from controller.loop.identity import mismatch
from controller.postgres.statements import statement
from controller.records import Claim, Mark
from controller.settings import Settings
from controller.swarm.errors import EngineError
from controller.swarm.identity import cluster_of, filters, mark_of, newest


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="identity")(identity)


def identity(
    *,
    accept: Annotated[
        bool, typer.Option("--accept", help="What is found now is meant: let the controller go on with it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show which database, Swarm and installation belong together, and whether they still are what they were.

    The database names the Swarm and the installation that it is for; the Swarm has a mark that names the database. A
    restored copy, a wrong DATABASE_URL or DOCKER_HOST, or a second installation on one database do not fit: the
    controller then writes nothing, and goes on when it is right again or was accepted here.

    Exit code 0: all fits, or it was accepted; 2: something does not.

    **Examples**

        skypanel identity

        skypanel identity --accept
    """
    chosen = settings()
    with database() as conn:
        claim = read_claim(conn)
        cluster_id, mark = read_swarm(chosen)
        found = mismatch(claim, mark, cluster_id=cluster_id, installation=chosen.skypanel_installation)
        if not found or not accept:
            _show(claim, cluster_id, mark, found, chosen, form=output)
            if found:
                raise typer.Exit(ExitCode.CHANGES)
            return
        if output is Format.TABLE:
            _show(claim, cluster_id, mark, found, chosen, form=output)
            if not yes and sys.stdin.isatty() and not Confirm.ask("Is this meant?", console=error_console()):
                raise CliError("nothing was accepted")
        conn.execute(
            statement("store/identity/accept"),
            {
                "place": claim.here,
                "cluster": cluster_id,
                "installation": chosen.skypanel_installation,
                "mark": None if mark is None else str(mark),
            },
        )
    if output is Format.TABLE:
        say("accepted: the controller goes on within seconds")
    else:
        _show(claim, cluster_id, mark, "", chosen, form=output)


def examine(chosen: Settings) -> Iterator[Check]:
    """For ``doctor``: do they belong together?"""
    try:
        with database(chosen.database_url.get_secret_value()) as conn:
            claim = read_claim(conn)
        cluster_id, mark = read_swarm(chosen)
    except (CliError, EngineError, psycopg.Error):
        yield warn("identity", "not known as long as the database or the engine does not answer", mend="")
        return
    found = mismatch(claim, mark, cluster_id=cluster_id, installation=chosen.skypanel_installation)
    if found:
        yield fail("identity", f"nothing is written: {found}", "see `skypanel identity`")
    else:
        yield ok(
            "identity", f"database {claim.database_id or 'new'}, Swarm {cluster_id}, {chosen.skypanel_installation}"
        )


def read_claim(conn: psycopg.Connection) -> Claim:
    """What the database says."""
    row = conn.execute(statement("store/identity/read")).fetchone()
    assert row is not None
    return Claim(*row)


def read_swarm(chosen: Settings) -> tuple[str, Mark | None]:
    """Id of the Swarm, and the mark of the installation in it.

    Raises:
        EngineError: it does not answer.
    """
    engine = client(chosen)
    try:
        cluster_id = cluster_of(engine.call("GET", "/info"))
        query = {"filters": filters(chosen.skypanel_installation)}
        found = newest(engine.call("GET", "/configs", query=query) or [])
    finally:
        engine.close()
    return cluster_id, mark_of(found) if found is not None else None


def _show(claim: Claim, cluster_id: str, mark: Mark | None, found: str, chosen: Settings, *, form: Format) -> None:
    if form is not Format.TABLE:
        emit(
            {
                "fits": not found,
                "problem": found or None,
                "database": {"id": claim.database_id, "place": claim.here, "madeIn": claim.place},
                "swarm": {"id": cluster_id, "expected": claim.cluster_id, "mark": None if mark is None else str(mark)},
                "installation": {"name": chosen.skypanel_installation, "expected": claim.installation},
            },
            form,
        )
        return
    say(f"database      {claim.database_id or 'new: the first controller that leads gives it an id'}")
    say(f"swarm         {cluster_id}")
    say(f"installation  {chosen.skypanel_installation}")
    if found:
        say()
        say(f"They do not belong together: {found}.")
        say("The controller writes nothing. Mend the setting, or say that it is meant: `skypanel identity --accept`")
    else:
        say("They belong together.")
