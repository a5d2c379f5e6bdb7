"""``context``, ``login``, ``logout`` and ``whoami``: which installation is meant, and who asks there."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.actions.errors import ActionError
from controller.cli import contexts, target
from controller.cli.contexts import Context
from controller.cli.formats import Format, Output, emit
from controller.cli.helped import LIST, Listing
from controller.cli.inputs import bytes_of, chosen_context
from controller.cli.output import note, say, table
from controller.kit.redaction import redact
from specs.kinds import TENANT_WORD

_LONGEST = 16_384


def _complete(incomplete: str) -> list[str]:
    try:
        return [name for name in contexts.read().known if name.startswith(incomplete)]
    except ActionError:
        return []


Name = Annotated[str, typer.Argument(help="Name of the context.", metavar="NAME", autocompletion=_complete)]
Member = Annotated[
    str, typer.Option("--organization", "-n", help="To act in, for who is a member of several.", metavar="NAME")
]
CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", help="Certificates that are trusted instead of the system's.", metavar="FILE"),
]
AllowHttp = Annotated[
    bool, typer.Option("--allow-http", help="Without TLS to another machine: who is on the way reads the token.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Contexts: the installations that commands work with, by name.")
    group.command(name=LIST)(list_)
    group.command(name="add")(add)
    group.command(name="use")(use)
    group.command(name="remove")(remove)
    app.add_typer(group, name="context", cls=Listing)
    app.command(name="login")(login)
    app.command(name="logout")(logout)
    app.command(name="whoami")(whoami)


def list_(*, output: Output = Format.TABLE) -> None:
    """List the contexts, and which one is meant now; what `skypanel context` alone does.

    An option `--context`, or SKYPANEL_CONTEXT, names one. Else SKYPANEL_API_URL with SKYPANEL_TOKEN counts, then
    DATABASE_URL of the environment, then the current context, then the settings of the installation.

    **Examples**

        skypanel context
        skypanel context list -o json
    """
    show_contexts(contexts.read(), chosen_context(), output)


def show_contexts(found: contexts.Contexts, meant: Context | None, output: Format) -> None:
    """One a line; no token, and no password of a connection string."""
    rows = [_document(each, current=name == found.current) for name, each in sorted(found.known.items())]
    if output is not Format.TABLE:
        emit(rows, output)
        return
    if rows:
        lines = [
            ("*" if row["current"] else "", row["name"], row["where"], row["login"], row[TENANT_WORD] or "-")
            for row in rows
        ]
        table(("", "NAME", "WHERE", "LOGIN", TENANT_WORD.upper()), lines, cut=("WHERE",))
    else:
        say("there is no context: `skypanel login URL` makes one")
    if meant is None:
        note("commands work with the database of DATABASE_URL or of the installation's settings")
    else:
        note(f"commands work with {meant.name}: {meant.why}")


def _document(each: Context, *, current: bool) -> dict[str, Any]:
    login_ = "token" if each.token else "connection string" if each.database else "none"
    where = each.url or redact(each.database)
    return {
        "name": each.name, "current": current, "kind": "api" if each.url else "database", "where": where,
        "login": login_, TENANT_WORD: each.organization or None,
    }  # fmt: skip


def add(
    name: Name,
    url: Annotated[str, typer.Argument(help="Address of its API; left out: --database.", metavar="URL")] = "",
    *,
    database: Annotated[
        bool, typer.Option("--database", help="A connection string, asked for or read from standard input.")
    ] = False,
    organization: Member = "",
    ca_file: CaFile = None,
    allow_http: AllowHttp = False,
) -> None:
    """Add a context: an API, to log in to later, or a database.

    A connection string may have a password, so it is never taken from the command line.

    **Examples**

        skypanel context add prod https://api.example.com
        printf %s "$DATABASE_URL" | skypanel context add ops --database
    """
    if bool(url) == database:
        raise ActionError("an API or a database?", "give the address of an API, or --database")
    contexts.checked_name(name)
    if database:
        said = _secret("connection string (not shown): ")
        made = Context(name, database=said)
    else:
        made = _checked(Context(name, url, "", organization, _file(ca_file), allow_http))
    known = contexts.read()
    contexts.write(known.put(made, use=False))
    say(f"context {name} added" + ("" if known.current else ", and used from now on"))


def use(name: Name) -> None:
    """Have commands work with this context from now on.

    **Examples**

        skypanel context use prod
    """
    known = contexts.read()
    known.named(name)
    contexts.write(contexts.Contexts(name, known.known))
    say(f"commands work with {name} from now on")
    meant = chosen_context()
    if meant is None or meant.name != name:
        what = meant.why if meant else "DATABASE_URL is set"
        note(f"not in this shell: {what}")


def remove(name: Name) -> None:
    """Forget a context, with its token.

    **Examples**

        skypanel context remove prod
    """
    known = contexts.read()
    known.named(name)
    contexts.write(known.without(name))
    say(f"context {name} removed")


def login(
    url: Annotated[
        str | None, typer.Argument(help="Address of the API; left out: that of the context.", metavar="URL")
    ] = None,
    *,
    name: Annotated[
        str, typer.Option("--name", help="What the context is called; the host name when left out.", metavar="NAME")
    ] = "",
    organization: Member = "",
    ca_file: CaFile = None,
    allow_http: AllowHttp = False,
) -> None:
    """Log in to an installation by its API, and use it from now on.

    The token is asked for, or read from standard input; it is not taken from the command line, which others on the
    machine can see and the shell remembers. It is tried, and kept in a file that you alone can read. `skypanel tokens
    create` makes one.

    **Examples**

        skypanel login https://api.example.com
        skypanel login https://api.example.com --name prod <token
    """
    known = contexts.read()
    if url is None:
        before = known.named(name or target.named() or known.current)
        if not before.url:
            raise ActionError(f"context {before.name} is a database, with a login of its own")
        found = replace(before, organization=organization or before.organization)
    else:
        found = Context(name, url, "", organization, _file(ca_file), allow_http)
    found = _checked(found)
    found = replace(
        found, name=contexts.checked_name(found.name or _host(found.url)), token=_secret("token (not shown): ")
    )
    who = asked(found)
    where = contexts.write(known.put(found, use=True))
    say(f"logged in to {found.url} as {_person(who)}")
    say(f"context {found.name} is used from now on; its token is in {where}")


def logout(
    name: Annotated[
        str | None, typer.Argument(help="Name of the context.", metavar="NAME", autocompletion=_complete)
    ] = None,
) -> None:
    """Forget the token of a context. The token itself stays good: `skypanel tokens revoke` ends it.

    **Examples**

        skypanel logout
    """
    known = contexts.read()
    found = known.named(name or target.named() or known.current or "-")
    if not found.token:
        raise ActionError(f"context {found.name} has no token")
    contexts.write(contexts.Contexts(known.current, {**known.known, found.name: replace(found, token="")}))
    say(f"logged out of {found.url}; the token is good until it expires or is revoked")


def whoami(*, output: Output = Format.TABLE) -> None:
    """Say who commands are, and where.

    **Examples**

        skypanel whoami
    """
    meant = chosen_context()
    if meant is None or not meant.url:
        from controller.cli.inputs import database  # noqa: PLC0415 - loads the client of the database

        with database() as conn:
            row = conn.execute("SELECT session_user::text, current_database()::text").fetchone()
        assert row is not None
        show_who({"actor": row[0], "means": "database", "role": row[0], "where": row[1]}, output)
        return
    show_who({**asked(meant), "where": meant.url}, output)


def show_who(who: dict[str, Any], output: Format) -> None:
    """Who he is, in a line."""
    if output is not Format.TABLE:
        emit(who, output)
        return
    say(
        f"{_person(who)}, at {who['where']}" if who["means"] != "database" else f"role {who['actor']} of {who['where']}"
    )


def asked(found: Context) -> dict[str, Any]:
    """Who has its token, as its API says.

    Raises:
        ActionError: it is not taken, or nobody answers.
    """
    from controller.remote.refusals import said  # noqa: PLC0415 - loads the client

    if not found.token:
        raise ActionError(
            f"there is no token for {found.url}", f"`skypanel login {found.url}`, or set {contexts.TOKEN}"
        )
    with target.client_of(found, patience=5.0) as client, said(client.origin):
        who = client.whoami()
        place = who.get(TENANT_WORD)
        told: dict[str, Any] = {**who, TENANT_WORD: place if isinstance(place, dict) and "name" in place else None}
        return told | {name: str(told[name]) for name in ("actor", "role", "means")}


def _person(who: dict[str, Any]) -> str:
    where = who.get(TENANT_WORD)
    place = f"{who['role']} of {TENANT_WORD} {where['name']}" if where else str(who["role"])
    return f"{who['actor']} ({place})"


def _checked(found: Context) -> Context:
    """With the address as it is meant.

    Raises:
        ActionError: it cannot be one.
    """
    with target.client_of(replace(found, name=found.name or "login")) as client:
        return replace(found, url=client.origin)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].replace(":", "-").replace("[", "").replace("]", "")


def _file(given: Path | None) -> str:
    if given is None:
        return ""
    if not os.access(given, os.R_OK) or given.is_dir():
        raise ActionError(f"--ca-file: {given} is not a readable file")
    return str(given.resolve())


def _secret(question: str) -> str:
    """From a person, or standard input.

    Raises:
        ActionError: there is none.
    """
    if sys.stdin.isatty():
        said = getpass.getpass(question)
    else:
        try:
            said = bytes_of("-", most=_LONGEST).decode()
        except UnicodeDecodeError:
            raise ActionError("what stands on standard input is no text", "give it alone, in one line") from None
    if not said.strip():
        raise ActionError("nothing was given", "type it, or write it to standard input")
    return said.strip()
