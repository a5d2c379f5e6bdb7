"""``auth``: who may do what."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from controller.actions import permissions
from controller.actions.errors import ActionError
from controller.actions.paths import apart, kind_of
from controller.actions.permissions import Row
from controller.actions.tokens import role_of, verb_of
from controller.cli.errors import ExitCode
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import Kind, Named, backend, chosen_context, database, settings
from controller.cli.output import note, say, table

_LONGEST = 16_384


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(
        help="Who may do what: ask for one role or token, or see the table of all roles.", no_args_is_help=True
    )
    group.command(name="can-i")(can_i)
    group.command(name="roles")(roles)
    app.add_typer(group, name="auth")


def can_i(
    verb: Annotated[
        str, typer.Argument(help="What: read, write, delete, deploy, scale, restart, rollback, config, ...")
    ],
    kind: Kind,
    name: Named = None,
    *,
    role: Annotated[str, typer.Option(help="Ask for this role.", metavar="ROLE")] = "",
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Ask for who has the token on standard input.")
    ] = False,
    organization: Annotated[
        str,
        typer.Option("--organization", "-n", help="That the token is used in; its id or its slug.", metavar="NAME"),
    ] = "",
) -> None:
    """Say whether a role, or who has a token, may do something: yes or no.

    A token is an API token or one of the panel's, and is read from standard input alone. What it says is asked of the
    database as the API asks, so this shows, too, why a token is refused. Where commands work through an API, it is
    asked for who is logged in there when neither is given.

    Exit code 0: yes; 1: no, or it cannot be asked.

    **Examples**

        skypanel auth can-i deploy environment --role member
        skypanel auth can-i delete env/acme/shop/production --token-stdin <token
    """
    context = chosen_context()
    remote = context is not None and bool(context.url)
    if (role and token_stdin) or (not role and not token_stdin and not remote):
        raise ActionError("for whom?", "say --role ROLE or --token-stdin")
    word, path = apart(kind, name)
    wanted, about = verb_of(verb), kind_of(word)
    if not role and not token_stdin:
        with backend() as there:
            answer = there.may(wanted, about, path)
    elif role:
        answer = permissions.ask(permissions.of_role(role_of(role)), wanted, about, path, by_role=True)
    else:
        token = sys.stdin.read(_LONGEST)
        with database() as conn:
            caller = permissions.of_token(conn, token, organization, settings())
        answer = permissions.ask(caller, wanted, about, path)
    say("yes" if answer.yes else "no")
    if not answer.yes:
        note(answer.why)
        raise typer.Exit(ExitCode.ERROR)


def roles(output: Output = Format.TABLE) -> None:
    """Show what each role may do with each kind.

    owner may all that admin may, admin all that member may, member all that viewer may, of one organization; a platform
    admin may everything, of all of them; a platform viewer reads everything.

    **Examples**

        skypanel auth roles
        skypanel auth roles -o json
    """
    show(permissions.rows(), output)


def show(rows: Sequence[Row], output: Format) -> None:
    """The table, a line a kind and role."""
    if output is not Format.TABLE:
        emit([{"kind": row.kind, "verb": str(row.verb), "roles": [str(r) for r in row.roles]} for row in rows], output)
        return
    table(("KIND", "ROLE", "MAY"), lines(rows), wrap="MAY")


def lines(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """Kind, role and what it may there; a role that may as much as the one before it is in its line."""
    found: list[tuple[str, str, str]] = []
    for kind in dict.fromkeys(row.kind for row in rows):
        of_kind = [row for row in rows if row.kind == kind]
        by_verbs: dict[str, list[str]] = {}
        for role in permissions.EVERY_ROLE:
            verbs = ", ".join(row.verb for row in of_kind if role in row.roles)
            by_verbs.setdefault(verbs, []).append(role)
        found += [(kind, ", ".join(able), verbs) for verbs, able in by_verbs.items() if verbs]
    return found
