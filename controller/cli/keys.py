"""``keys``: the keys that open config vars: a new one, which are there and which are missing, and a rotation."""

from __future__ import annotations

import sys

import typer

from controller.actions.keys import KeyState
from controller.actions.keys import rotate as rotate_all
from controller.actions.keys import status as status_of
from controller.cli.errors import ExitCode
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import database, settings
from controller.cli.output import complain, counted, say, table
from controller.cli.terminal import Text
from controller.vault.keyring import FILE_VARIABLE, VARIABLE
from controller.vault.keyring import generate as new_line

_STYLES = {"current": "green", "old": "", "missing": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Keys: what opens config vars.", no_args_is_help=True)
    group.command(name="generate")(generate)
    group.command(name="status")(status)
    group.command(name="rotate")(rotate)
    app.add_typer(group, name="keys")


def generate() -> None:
    """Print a new key, a line for the file of keys or for SKYPANEL_KEYS.

    `skypanel setup` has put the first one into /etc/skypanel/env. Keep a copy of every key where the database's backups
    are not: without it what was encrypted under it is lost, and with both it is open.

    To change the key: put the new one in front of those that are there, on the controller and wherever values are set,
    restart them, run `skypanel keys rotate`, then take the old one away.

    **Examples**

        skypanel keys generate
        (umask 077; skypanel keys generate >/etc/skypanel/keys)
    """
    sys.stdout.write(f"{new_line()}\n")
    if sys.stdout.isatty():
        complain(
            [f"this is secret: the first key in {VARIABLE}, or in the file of {FILE_VARIABLE}, is the current one"]
        )


def status(output: Output = Format.TABLE) -> None:
    """Show which keys are here, and which are needed and missing.

    Exit code 0: every data key can be opened; 2: a key is missing.

    **Examples**

        skypanel keys status
    """
    with database() as conn:
        found = status_of(conn, settings().vault.keyring)
    show(found, output)
    if any(key.state == "missing" for key in found):
        raise typer.Exit(ExitCode.CHANGES)


def rotate() -> None:
    """Encrypt every organization's data key anew, under the current key.

    Config vars stay as they are, and nothing restarts. It can be cut short and run again, also twice at once.

    Exit code 0: all data keys are under the current key; 2: some could not be opened, and stay as they are.

    **Examples**

        skypanel keys rotate
    """
    with database(declares=True) as conn:
        done = rotate_all(conn, settings().vault)
    say(f"{counted(done.rewrapped, 'data key')} put under key {done.key}")
    if done.left:
        complain(["these stay as they are:", *done.left])
        raise typer.Exit(ExitCode.CHANGES)


def show(found: list[KeyState], form: Format) -> None:
    """The keys, in the ``form`` that was asked for."""
    if form is not Format.TABLE:
        emit([{"id": key.id, "state": key.state, "organizations": key.organizations} for key in found], form)
        return
    if not found:
        say("there is no key, and none is needed yet: `skypanel keys generate` makes one")
        return
    rows = [(key.id, Text(key.state, _STYLES[key.state]), str(key.organizations)) for key in found]
    table(["KEY", "STATE", "ORGANIZATIONS"], rows)
    if any(key.state == "missing" for key in found):
        say()
        say(f"What is missing opens config vars: add its line to {FILE_VARIABLE} or {VARIABLE}, from a backup.")
