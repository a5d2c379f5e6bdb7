"""``registries``: users of registries, whose passwords nothing gives back."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from controller.actions import registries
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import Timeout, Wait, backend, bytes_of, seconds
from controller.cli.output import say, table
from controller.declared.logins import RegistryLogin
from reconcilers.logins import Login
from specs.kinds import LOGIN

Organization = Annotated[str, typer.Argument(help="Slug of the organization.", metavar="ORGANIZATION")]
Registry = Annotated[
    str,
    typer.Argument(help="Host as image references have it: ghcr.io, docker.io for Docker Hub.", metavar="REGISTRY"),
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(
        help="Users of registries: set, list, test and unset them. Nothing gives a password back.",
        no_args_is_help=True,
    )
    group.command(name="list")(list_)
    group.command(name="set")(set_)
    group.command(name="test")(try_)
    group.command(name="unset")(unset)
    app.add_typer(group, name="registries")


def list_(organization: Organization, *, output: Output = Format.TABLE) -> None:
    """List the registries that an organization has users for, and whether they are taken; never a password.

    **Examples**

        skypanel registries list acme
    """
    with backend() as there:
        show_registries(organization, there.registries(organization), output)


def set_(
    organization: Organization,
    registry: Registry,
    *,
    username: Annotated[str, typer.Option("--username", "-u", help="User of the registry.", metavar="NAME")],
    source: Annotated[
        str | None,
        typer.Option("--from", help="Take the password from this file; - is standard input.", metavar="FILE"),
    ] = None,
    wait: Wait = False,
    timeout: Timeout = "1m",
) -> None:
    """Set the user that images of a registry are pulled with; the password is asked for, or read from standard input.

    It is not taken from the command line, which others on the machine can see and the shell remembers. Give a password,
    or a token that lasts like one: nodes pull with it for as long as services run. No task is restarted for it. The
    controller then asks the registry whether it takes the user, which `--wait` waits for.

    **Examples**

        skypanel registries set acme ghcr.io --username ada
        printf %s "$password" | skypanel registries set acme registry.example.com:5000 --username ada --wait
    """
    limit = seconds(timeout)
    registries.check(registry, username)
    if source is None and sys.stdin.isatty():
        given = getpass.getpass(f"password of {username} (not shown): ").encode("utf-8", "surrogateescape")
    else:
        given = bytes_of(source or "-")
    password = registries.password_of(given)
    with backend(declares=True) as there:
        version = there.set_login(organization, Login(registry, username, password))
        say(f"registry {organization}/{registry}: password of {username} set (version {version})")
        if wait:
            _test(organization, registry, limit)


def try_(organization: Organization, registry: Registry, *, timeout: Timeout = "1m") -> None:
    """Have the controller ask the registry now whether it takes the user, and print what came of it.

    **Examples**

        skypanel registries test acme ghcr.io
    """
    _test(organization, registry, seconds(timeout))


def unset(organization: Organization, registry: Registry) -> None:
    """Take the user of a registry away, with his password; its images are then pulled as nobody.

    What runs goes on; no task is restarted.

    **Examples**

        skypanel registries unset acme ghcr.io
    """
    with backend(declares=True) as there:
        there.unset_login(organization, registry)
        say(f"registry {organization}/{registry}: unset")


def show_registries(organization: str, found: Sequence[RegistryLogin], output: Format) -> None:
    """Who asks which registry, and whether he is taken."""
    if output is not Format.TABLE:
        document = [
            {
                "registry": each.registry,
                "username": each.username,
                "password": "set" if each.sealed else "not set",
                "version": each.version,
                "changedAt": each.changed_at,
                "reason": each.reason,
                "message": each.message,
            }
            for each in found
        ]
        emit(document, output)
        return
    if not found:
        say(f"no user of a registry is set for organization {organization}")
        return
    rows = [
        (
            each.registry,
            each.username,
            f"set (version {each.version})" if each.sealed else "not set",
            each.reason or "not looked at yet",
        )
        for each in found
    ]
    table(("REGISTRY", "USERNAME", "PASSWORD", "STATUS"), rows)


def _test(organization: str, registry: str, limit: float) -> None:
    with backend() as there:
        request = there.look(LOGIN, f"{organization}/{registry}")
        reason, message = there.looked(request, limit)
        say(f"{request.words}  {reason}  {message}")
