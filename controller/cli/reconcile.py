"""``reconcile``: have the controller look at one object now, at the engine itself, and try again what failed."""

from __future__ import annotations

import time
import uuid
from typing import Annotated

import psycopg
import typer

from controller.cli.failures import CliError, ExitCode
from controller.cli.kinds import complete
from controller.cli.output import say
from controller.cli.pause import reconciled
from controller.cli.session import Timeout, Wait, database, seconds
from controller.declared import controls
from controller.postgres.statements import statement

_POLL_SECONDS = 0.1


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="reconcile")(reconcile)


def reconcile(
    kind: Annotated[str, typer.Argument(help="Its kind, such as env.", autocompletion=complete)],
    name: Annotated[str, typer.Argument(help="Path of names, such as acme/shop/production.")],
    *,
    wait: Wait = False,
    timeout: Timeout = "1m",
) -> None:
    """Ask the controller to look at one object now.

    It reads from the engine what lives of the object, does not wait for the end of a backoff, and tries a version that
    was rolled back once more. `--wait` waits until it has looked, and prints what came of it; a rollout may still be on
    its way then.

    **Examples**

        skypanel reconcile environment acme/shop/production --wait
    """
    limit = seconds(timeout)
    with database() as conn:
        key, words = reconciled(conn, kind, name)
        token = uuid.uuid4().hex
        controls.ask(conn, key, token)
        if not wait:
            say(f"asked for a look at {words}")
            return
        _await(conn, {"kind": key[0], "id": key[1], "token": token}, words, limit)


def _await(conn: psycopg.Connection, asked: dict[str, object], words: str, limit: float) -> None:
    """Print how the object is as soon as the request was handled.

    Raises:
        CliError: it was not in time.
    """
    deadline = time.monotonic() + limit
    while True:
        row = conn.execute(statement("declared/controls/handled"), asked).fetchone()
        handled, reason, message, finalized = row or (False, "", "", False)
        if handled or finalized:
            say(f"{words}  {reason}  {message}")
            return
        if time.monotonic() > deadline:
            raise CliError(
                f"{words}: it was not had within {limit:g} s" + (f"; last said: {reason}: {message}" if reason else ""),
                "`skypanel describe` says what it waits for; does a controller run? see `skypanel doctor`",
                code=ExitCode.NOT_READY,
            )
        time.sleep(_POLL_SECONDS)
