"""``bindings``: which tokens of an OpenID Connect issuer have which role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from controller.access.binding_rows import BindingRow
from controller.actions import bindings
from controller.actions.bindings import Asked, claims_of
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import database, settings
from controller.cli.output import say, table

Name = Annotated[str, typer.Argument(help="Name of the binding, such as ci-deploy.", metavar="NAME")]
Organization = Annotated[
    str, typer.Option("--organization", "-n", help="Slug of its organization; else the platform's.", metavar="NAME")
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(
        help="Role bindings: which tokens of an OpenID Connect issuer have which role.", no_args_is_help=True
    )
    group.command(name="create")(create)
    group.command(name="list")(list_)
    group.command(name="delete")(delete)
    app.add_typer(group, name="bindings")


def create(
    name: Name,
    *,
    claim: Annotated[
        list[str],
        typer.Option(
            "--claim", help="What a token says, such as groups=ops; several: all of them.", metavar="NAME=VALUE"
        ),
    ],
    organization: Organization = "",
    issuer: Annotated[
        str, typer.Option(help="Whose tokens; left out where only one is trusted.", metavar="ADDRESS")
    ] = "",
    role: Annotated[
        str,
        typer.Option(
            help="That they have: owner, admin, member, viewer; without -n platform-admin, platform-viewer.",
            metavar="ROLE",
        ),
    ] = "",
    app: Annotated[
        list[str] | None, typer.Option("--app", help="Only this app; may be repeated.", metavar="SLUG")
    ] = None,
    verb: Annotated[
        list[str] | None,
        typer.Option("--verb", help="Only this, such as read or deploy; may be repeated.", metavar="VERB"),
    ] = None,
) -> None:
    """Give tokens of an issuer a role: those that have every claim named here.

    Claims are compared as they are, without wildcards. Of one that stands here twice either value will do, and of one
    that is a list, such as groups, one value has to be the same. The issuer is one of SKYPANEL_OIDC_ISSUERS.

    **Examples**

        skypanel bindings create ci -n acme --claim repository=acme/shop --claim ref=refs/heads/main --verb deploy
        skypanel bindings create operators --claim groups=ops --role platform-admin
    """
    asked = Asked(name, issuer, claims_of(claim), organization, role, app or (), verb or ())
    with database(declares=True) as conn:
        bindings.create(conn, asked, settings().skypanel_oidc_issuers)
    say(f"binding {name} created")


def list_(*, organization: Organization = "", output: Output = Format.TABLE) -> None:
    """List role bindings: whose tokens, what they claim, and what they may.

    **Examples**

        skypanel bindings list -n acme
    """
    with database() as conn:
        found = bindings.listed(conn, organization)
    show(found, output)


def delete(name: Name, *, organization: Organization = "") -> None:
    """Remove a role binding: what came by it is nobody with the next request.

    **Examples**

        skypanel bindings delete ci -n acme
    """
    with database(declares=True) as conn:
        bindings.remove(conn, organization, name)
    say(f"binding {name} deleted")


def show(found: Sequence[BindingRow], output: Format) -> None:
    """Bindings, one a line."""
    if output is not Format.TABLE:
        emit([bindings.document(each) for each in found], output)
        return
    if not found:
        say("there is no binding")
        return
    rows = [(f"{b.organization or '(platform)'}/{b.name}", f"{_may(b)}: {_claims(b)} of {b.issuer}") for b in found]
    table(("BINDING", "MAY"), rows, wrap="MAY")


def _claims(binding: BindingRow) -> str:
    return ", ".join(f"{name}={'|'.join(values)}" for name, values in binding.claims.items())


def _may(binding: BindingRow) -> str:
    parts = [binding.role]
    parts += [f"only {', '.join(binding.verbs)}"] if binding.verbs else []
    parts += [f"in {', '.join(binding.apps)}"] if binding.apps else []
    return " ".join(parts)
