"""``config``: config vars of organizations, apps and environments."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from controller.actions.backend import Backend
from controller.actions.errors import ActionError
from controller.actions.variables import Assignment, Done, Place, parse, refusals, variable_document
from controller.cli.formats import Format, Output, emit
from controller.cli.helped import LIST, Listing
from controller.cli.inputs import Timeout, Wait, backend, bytes_of, complete_place, seconds
from controller.cli.output import say, table, warn
from controller.declared.variables import Variable
from specs.config import check_name

_LONGEST_TYPED = 4095
"""Of a line that a terminal gives at once; what is beyond it is lost without a word."""
At = Annotated[
    str,
    typer.Argument(
        help="Organization, app or environment: acme, acme/shop or acme/shop/production.",
        metavar="PATH",
        autocompletion=complete_place,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(
        help="Config vars and secrets: set, unset and list them. Nothing gives a value back.", no_args_is_help=True
    )
    group.command(name=LIST)(list_)
    group.command(name="set")(set_)
    group.command(name="import")(import_)
    group.command(name="unset")(unset)
    app.add_typer(group, name="config", cls=Listing)


def list_(path: At, *, output: Output = Format.TABLE) -> None:
    """List the names that are set, their versions and where they are set; never a value.

    An environment is given its own variables, those of its app, and those of its organization; where a name is set in
    several, the nearest counts.

    **Examples**

        skypanel config list acme/shop/production
        skypanel config acme/shop
    """
    with backend() as there:
        where = there.place(path)
        show_variables(where, there.variables(where), output)


def set_(
    path: At,
    name: Annotated[str, typer.Argument(help="Its name.", metavar="NAME")],
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", help="Take the value from this file, byte for byte; - is standard input.", metavar="FILE"
        ),
    ] = None,
    as_file: Annotated[
        bool | None,
        typer.Option(
            "--as-file/--as-variable",
            help="Tasks get it as the file /run/secrets/NAME, or as a variable; as before when left out.",
        ),
    ] = None,
    wait: Wait = False,
    timeout: Timeout = "5m",
) -> None:
    """Set one variable; its value is asked for, or read from standard input or a file.

    It is not taken from the command line, which others on the machine can see and the shell remembers. Every
    environment that it is for is rolled out with it, as with a new image.

    **Examples**

        skypanel config set acme/shop/production DATABASE_URL
        printf %s "$token" | skypanel config set acme API_TOKEN --wait
        skypanel config set acme/shop TLS_KEY --from key.pem --as-file
    """
    if "=" in name:
        raise ActionError(
            f"give the name {name.partition('=')[0]} alone: others could read a value on a command line",
            "it is asked for; or `printf %s value | skypanel config set PATH NAME`",
        )
    limit = seconds(timeout)
    with refusals():
        check_name(name)
    value = _value(name, source)
    with backend(declares=True) as there:
        where = there.place(path)
        _say(there, where, there.assign(where, [Assignment(name, value, as_file)]))
        _wait(there, where, limit if wait else None)


def import_(
    path: At,
    file: Annotated[str, typer.Argument(help="File of NAME=value lines; - is standard input.", metavar="FILE")],
    *,
    wait: Wait = False,
    timeout: Timeout = "5m",
) -> None:
    """Set all variables of a file of NAME=value lines (.env); others stay as they are.

    Comments, `export` and quotes mean what they mean in such files everywhere; nothing is put in for `$NAME`.

    **Examples**

        skypanel config import acme/shop/production .env
    """
    limit = seconds(timeout)
    try:
        text = bytes_of(file).decode()
    except UnicodeDecodeError:
        raise ActionError(f"{file} is not a text file", "set such a value by itself: config set --from") from None
    wanted = parse(text, "<stdin>" if file == "-" else file)
    if not wanted:
        raise ActionError(f"{file}: nothing is set there", "it takes lines of NAME=value")
    with backend(declares=True) as there:
        where = there.place(path)
        _say(there, where, there.assign(where, wanted))
        _wait(there, where, limit if wait else None)


def unset(
    path: At,
    names: Annotated[list[str], typer.Argument(help="Names.", metavar="NAME...")],
    *,
    wait: Wait = False,
    timeout: Timeout = "5m",
) -> None:
    """Take variables away; what is set above for the same name counts again.

    **Examples**

        skypanel config unset acme/shop/production DEBUG
    """
    limit = seconds(timeout)
    with backend(declares=True) as there:
        where = there.place(path)
        _say(there, where, there.unset(where, list(dict.fromkeys(names))))
        _wait(there, where, limit if wait else None)


def show_variables(where: Place, found: Sequence[Variable], output: Format) -> None:
    """Names and versions, by name."""
    if output is not Format.TABLE:
        emit([variable_document(where, each) for each in found], output)
        return
    if not found:
        say(f"nothing is set for {where.words[-1]}")
        return
    rows = [
        [
            v.name,
            str(v.version),
            "file" if v.as_file else "variable",
            where.words[v.owner] + ("" if v.effective else " (overridden)"),
        ]
        for v in found
    ]
    heads = ["NAME", "VERSION", "AS", "SET FOR"]
    if any(v.source for v in found):
        heads.append("DECLARED BY")
        rows = [[*row, v.source or "-"] for row, v in zip(rows, found, strict=True)]
    table(heads, rows)


def _say(there: Backend, where: Place, done: Sequence[Done]) -> None:
    for said in there.takes_back(where, {each.name for each in done}):
        warn(said)
    for each in done:
        say(f"{where.words[-1]}: {each.name} {'unset' if each.version is None else f'set (version {each.version})'}")


def _wait(there: Backend, where: Place, limit: float | None) -> None:
    if limit is None:
        return
    from controller.cli.progress import shown  # noqa: PLC0415 - who does not wait needs no rich

    with shown(Format.TABLE) as show_progress:
        there.wait_for(where.key, limit, show_progress)


def _value(name: str, source: str | None) -> bytes:
    """From a file, standard input, or a person.

    Raises:
        ActionError: it cannot be read, or a terminal has certainly cut it.
    """
    if source is None and sys.stdin.isatty():
        typed = getpass.getpass(f"value of {name} (not shown): ").encode("utf-8", "surrogateescape")
        if len(typed) >= _LONGEST_TYPED or typed.startswith(b"-----BEGIN"):
            raise ActionError(
                f"a terminal gives no more than one line of {_LONGEST_TYPED} bytes; nothing was set",
                f"put it into a file: skypanel config set PATH {name} --from FILE",
            )
        return typed
    value = bytes_of(source or "-")
    if source in (None, "-") and value.endswith(b"\n") and value.count(b"\n") == 1:
        warn("the value ends with a line break, as `echo` makes one; `printf %s` makes none")
    return value
