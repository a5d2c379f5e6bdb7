"""``tokens``: API tokens, each of which is shown once, on standard output alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from controller.access.token_rows import TokenRow
from controller.actions import tokens
from controller.actions.tokens import Asked, Made
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import backend
from controller.cli.output import age, note, say, table

Id = Annotated[str, typer.Argument(help="Id of the token, as `skypanel tokens list` shows it.", metavar="ID")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(
        help="API tokens: create, list, rotate and revoke them. Each is shown once.", no_args_is_help=True
    )
    group.command(name="create")(create)
    group.command(name="list")(list_)
    group.command(name="rotate")(rotate)
    group.command(name="revoke")(revoke)
    app.add_typer(group, name="tokens")


def create(
    name: Annotated[str, typer.Argument(help="Name for people, such as ci-deploy.", metavar="NAME")],
    *,
    organization: Annotated[
        str, typer.Option("--organization", "-n", help="Slug of its organization.", metavar="NAME")
    ] = "",
    user: Annotated[
        str, typer.Option(help="For this user: never more than he is, and nothing once he left.", metavar="EMAIL")
    ] = "",
    role: Annotated[
        str,
        typer.Option(
            help="The most that it may be: owner, admin, member, viewer; without -n platform-admin, platform-viewer.",
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
    expires: Annotated[str, typer.Option(help="How long it is good, 366d at most.", metavar="DURATION")] = "90d",
) -> None:
    """Create an API token, and print it: once, on standard output, and nowhere else.

    Without `--user` it is a machine's, and has its role: member unless `--role` says otherwise. A user's has what is
    left of his own role, as that is when it is used. Verbs are not in each other: a token that deploys and then looks
    needs `--verb deploy --verb read`. Without `-n` it is the platform's, and reads.

    **Examples**

        skypanel tokens create ci-deploy -n acme --app shop --verb read --verb deploy --expires 30d
        skypanel tokens create laptop -n acme --user ada@example.com >token
    """
    with backend(declares=True) as there:
        made = there.create_token(Asked(name, organization, user, role, app or (), verb or (), expires))
    _give(made)


def list_(
    *,
    organization: Annotated[
        str, typer.Option("--organization", "-n", help="Only of this organization.", metavar="NAME")
    ] = "",
    every: Annotated[bool, typer.Option("--all", "-a", help="Those that expired or were revoked, too.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List API tokens: whose they are, what they are limited to, until when, and when they were used; never a token.

    **Examples**

        skypanel tokens list -n acme
        skypanel tokens list --all -o json
    """
    with backend() as there:
        found = there.token_rows(organization, every=every)
    show(found, output)


def rotate(
    token_id: Id,
    *,
    overlap: Annotated[
        str, typer.Option(help="So long the old one is good, too; 0: not any more; 7d at most.", metavar="DURATION")
    ] = "24h",
    expires: Annotated[
        str, typer.Option(help="How long the new one is good; as long as the old one was, when left out.")
    ] = "",
) -> None:
    """Replace a token by a new one with the same limits, and print that once; the old one works for a while yet.

    One old token is kept at most: a second rotation ends the first one's overlap.

    **Examples**

        skypanel tokens rotate 3fJq0vT9xYbK >token
        skypanel tokens rotate 3fJq0vT9xYbK --overlap 0
    """
    with backend(declares=True) as there:
        made = there.rotate_token(token_id, overlap, expires)
    _give(made)


def revoke(token_id: Id) -> None:
    """End a token at once, with the one that it replaced. It stays on record, and cannot be made good again.

    **Examples**

        skypanel tokens revoke 3fJq0vT9xYbK
    """
    with backend(declares=True) as there:
        name = there.revoke_token(token_id)
    say(f"token {token_id} ({name}) revoked")


def show(found: Sequence[TokenRow], output: Format) -> None:
    """Tokens, one a line."""
    if output is not Format.TABLE:
        emit([tokens.document(each) for each in found], output)
        return
    if not found:
        say("there is no token")
        return
    rows = [
        (each.id, _called(each), _until(each), age(each.used_at) if each.used_at else "never", _limits(each))
        for each in found
    ]
    table(("ID", "TOKEN", "EXPIRES", "USED", "MAY"), rows, wrap="MAY")


def _give(made: Made) -> None:
    sys.stdout.write(f"{made.token}\n")
    sys.stdout.flush()
    note(f"token {made.id} is good until {made.expires_at:%Y-%m-%d %H:%M %Z}; it is shown this once")
    if made.replaced_until is not None:
        note(f"the one before is good until {made.replaced_until:%Y-%m-%d %H:%M %Z}")


def _called(token: TokenRow) -> str:
    return f"{token.organization or '(platform)'}/{token.name}"


def _limits(token: TokenRow) -> str:
    parts = [token.role]
    parts += [f"and never more than {token.user}"] if token.user else []
    parts += [f"only {', '.join(token.verbs)}"] if token.verbs else []
    parts += [f"in {', '.join(token.apps)}"] if token.apps else []
    return " ".join(parts)


def _until(token: TokenRow) -> str:
    return f"{token.expires_at:%Y-%m-%d}" if token.state == "good" else token.state
