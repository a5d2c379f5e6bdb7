"""``source``: passwords of repositories, their webhooks and statuses, and a look that is asked for now."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from controller.actions import forges, hooks, sources
from controller.actions.errors import ActionError
from controller.actions.registries import password_of
from controller.actions.variables import refusals
from controller.cli.inputs import Timeout, backend, bytes_of, database, seconds, settings
from controller.cli.output import note, say
from specs.kinds import SOURCE
from specs.registries import check_username

_LARGEST_KEY_FILE = 65536
Name = Annotated[str, typer.Argument(help="Organization and source: acme/main.", metavar="ORGANIZATION/NAME")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(
        help="Sources of spec files: password, age key, webhook, statuses of commits, and a look now.",
        no_args_is_help=True,
    )
    group.command(name="password")(password)
    group.command(name="key")(key)
    group.command(name="ssh")(ssh)
    group.command(name="hook")(hook)
    group.command(name="statuses")(statuses)
    group.command(name="sync")(sync)
    app.add_typer(group, name="source")


def password(
    name: Name,
    *,
    username: Annotated[str, typer.Option("--username", "-u", help="User of the repository.", metavar="NAME")],
    source: Annotated[
        str | None,
        typer.Option("--from", help="Take the password from this file; - is standard input.", metavar="FILE"),
    ] = None,
) -> None:
    """Set the user that a repository is read with; his password is asked for, or read from standard input.

    It is not taken from the command line, which others on the machine can see and the shell remembers. Give a token
    that may only read. It is sealed for this repository: with another address it has to be set again.

    **Examples**

        skypanel source password acme/main --username ada
        printf %s "$token" | skypanel source password acme/main --username token
    """
    with refusals("--username"):
        check_username(username)
    secret = _asked(source, f"password of {username}")
    with backend(declares=True) as there:
        version = there.set_source_password(name, username, secret)
        say(f"source {name}: password of {username} set (version {version})")


def ssh(
    name: Name,
    *,
    key: Annotated[str, typer.Option("--key", help="File with the private key; - is standard input.", metavar="FILE")],
    known_hosts: Annotated[
        str, typer.Option("--known-hosts", help="File with lines of the host's keys.", metavar="FILE")
    ],
) -> None:
    """Set the deploy key that a repository is read with over SSH, and the keys that its host has to have.

    Give a key of its own that may only read, without a passphrase. Nobody is trusted on first use: compare what
    `ssh-keyscan` prints with what the host's operator says. Both are sealed for this repository.

    **Examples**

        ssh-keygen -q -t ed25519 -N '' -f deploy
        ssh-keyscan git.example.com >known
        skypanel source ssh acme/main --key deploy --known-hosts known
    """
    with database(declares=True) as conn:
        version = sources.set_deploy_key(conn, settings().vault, name, bytes_of(key), bytes_of(known_hosts))
    say(f"source {name}: deploy key set (version {version})")


def statuses(
    name: Name,
    *,
    forge: Annotated[
        str,
        typer.Option(help="github, gitlab, gitea (Forgejo, too) or bitbucket; else as its host says.", metavar="SORT"),
    ] = "",
    api: Annotated[str, typer.Option(help="Where its API is, unless its host is known.", metavar="ADDRESS")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Have nothing said any more.")] = False,
    source: Annotated[
        str | None,
        typer.Option("--from", help="Take the token from this file; - is standard input.", metavar="FILE"),
    ] = None,
) -> None:
    """Have the forge show beside each commit of a source whether it was declared, or why not, with this token.

    The token is asked for, or read from standard input; it may write statuses of commits, and nothing else. It is
    sealed for this repository and this API: with another one it has to be set again.

    **Examples**

        printf %s "$token" | skypanel source statuses acme/main
        printf %s "$token" | skypanel source statuses acme/main --forge gitea --api https://git.example.com/api/v1
        skypanel source statuses acme/main --remove
    """
    if remove:
        if forge or api or source is not None:
            raise ActionError("--remove takes the token away", "leave the other options out")
        with database(declares=True) as conn:
            forges.remove(conn, name)
        say(f"source {name}: statuses are not said any more")
        return
    wanted = forges.Forge(_asked(source, "token"), forge, api)
    with database(declares=True) as conn:
        sort, place = forges.assign(conn, settings().vault, name, wanted)
    say(f"source {name}: statuses of its commits are said to {place} ({sort})")


def _asked(source: str | None, what: str) -> str:
    """A password or a token, which nobody sees."""
    if source is None and sys.stdin.isatty():
        return password_of(getpass.getpass(f"{what} (not shown): ").encode("utf-8", "surrogateescape"))
    return password_of(bytes_of(source or "-"))


def key(
    name: Name,
    *,
    source: Annotated[
        str | None,
        typer.Option("--from", help="Take the identities from this file; - is standard input.", metavar="FILE"),
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Take them away: encrypted files are refused then.")] = False,
) -> None:
    """Set the age identities that a source's encrypted files are opened with, and print for whom to encrypt.

    They are read from a file as `age-keygen` writes it, up to 16 of them, from standard input or asked for, and never
    from the command line. They take the place of those before; nothing gives them back. For a change, set both, encrypt
    the files for the new one, and set that alone.

    **Examples**

        skypanel source key acme/main --from keys.txt
        skypanel source key acme/main --unset
    """
    from controller.vault.sops import Identities  # noqa: PLC0415 - the other commands of this group need no age

    if unset and source is not None:
        raise ActionError("--unset takes the key away", "leave --from out")
    identities, text = None, None
    if not unset:
        if source is None and sys.stdin.isatty():
            given = getpass.getpass("age identity (not shown): ").encode("utf-8", "surrogateescape")
        else:
            given = bytes_of(source or "-", most=_LARGEST_KEY_FILE)
        text = given.decode("utf-8", "replace")
        with refusals("the key"):
            identities = Identities(text)
    with database(declares=True) as conn:
        version = sources.set_identities(conn, settings().vault, name, identities.text if identities else None)
    if identities is None:
        say(f"source {name}: key removed")
        return
    say(f"source {name}: key set (version {version}); encrypt for:")
    for recipient in identities.recipients:
        say(recipient)


def hook(
    name: Name,
    *,
    rotate: Annotated[bool, typer.Option("--rotate", help="Give it another secret.")] = False,
    overlap: Annotated[
        str,
        typer.Option(help="With --rotate: so long the old secret counts, too; 0: not any more.", metavar="DURATION"),
    ] = "24h",
    remove: Annotated[bool, typer.Option("--remove", help="Take it away: its secrets count no more.")] = False,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", help="Take a secret that the forge made from this file; - is standard input.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Make the webhook of a source, and print its secret: once, on standard output, and nowhere else.

    The forge gets the address and the secret. What it sends wakes the source, which then looks for itself at what its
    branch is; so nothing is lost where a delivery is.

    **Examples**

        skypanel source hook acme/main
        skypanel source hook acme/main --rotate --overlap 1h
        skypanel source hook acme/main --remove
    """  # fmt: skip
    if remove and (rotate or source is not None):
        raise ActionError("--remove takes the webhook away", "leave --rotate and --from out")
    given = hooks.secret_of(bytes_of(source)) if source is not None else ""
    with database(declares=True) as conn:
        if remove:
            hooks.remove(conn, name)
            say(f"source {name}: webhook removed")
            return
        made = hooks.make(conn, settings().vault, name, given, overlap if rotate else None)
    show_hook(name, made, settings().skypanel_api_host, given=bool(given))


def show_hook(name: str, made: hooks.Made, host: str, *, given: bool) -> None:
    """A webhook; its secret is what standard output has."""
    place = f"https://{host}{made.path}" if host else f"{made.path} of the HTTP API"
    note(f"source {name}: POST {place}, as application/json, for pushes")
    if given:
        say("the secret is set")
    else:
        sys.stdout.write(f"{made.secret}\n")
        sys.stdout.flush()
        note("the secret is shown this once")
    if made.replaced_until is not None:
        note(f"the one before counts until {made.replaced_until:%Y-%m-%d %H:%M %Z}")


def sync(name: Name, *, timeout: Timeout = "1m") -> None:
    """Have the controller look at a source now, and print what came of it.

    **Examples**

        skypanel source sync acme/main
    """
    limit = seconds(timeout)
    with backend() as there:
        request = there.look(SOURCE, name)
        reason, message = there.looked(request, limit)
        show_look(request.words, reason, message)


def show_look(words: str, reason: str, message: str) -> None:
    """What came of a look."""
    say(f"{words}  {reason}  {message}")
