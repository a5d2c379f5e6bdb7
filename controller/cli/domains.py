"""``domains`` and ``open``: host names of environments, and what is there."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from controller.actions import host_names as hosts
from controller.actions.delete import target_of
from controller.actions.released import place
from controller.cli.formats import Format, Output, WideOutput, emit
from controller.cli.helped import LIST, Listing
from controller.cli.inputs import One, Reason, Timeout, Wait, backend, complete_place, seconds
from controller.cli.listing import Watch, show_list
from controller.cli.output import console, note, warn
from controller.cli.shown import show_written

_DESKTOPS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Host names that the edge answers on: list, add and remove them.")
    group.command(name=LIST)(list_)
    group.command(name="add")(add)
    group.command(name="remove")(remove)
    app.add_typer(group, name=hosts.PLURAL, cls=Listing)
    app.command(name="open")(open_)


def list_(
    path: Annotated[
        str | None,
        typer.Argument(
            help="Only of this organization, app or environment.", metavar="PATH", autocompletion=complete_place
        ),
    ] = None,
    *,
    watch: Watch = False,
    output: WideOutput = Format.TABLE,
) -> None:
    """List host names and whether requests for them are answered; what `skypanel domains` alone does.

    **Examples**

        skypanel domains
        skypanel domains acme/shop
    """
    show_list(hosts.HOST, path, output, watch=watch)


def add(
    path: One,
    host: Annotated[str, typer.Argument(help="Host name, such as shop.example.com.", metavar="HOST")],
    *,
    process: Annotated[
        str, typer.Option("--process", help="Process that answers; web when left out.", metavar="TYPE")
    ] = "",
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = "5m",
    output: Output = Format.TABLE,
) -> None:
    """Have the edge send requests for a host name to an environment.

    Its DNS has to lead to the edge. What answers needs a port.

    **Examples**

        skypanel domains add acme/shop shop.example.com --wait
        skypanel domains add acme/shop/production api.example.com --process api
    """
    limit = seconds(timeout)
    with backend(declares=True, why=reason) as there:
        done = there.add_host(path, host, process)
        for said in done.warnings:
            warn(said)
        show_written(done.written, output)
        if wait:
            from controller.cli.progress import shown  # noqa: PLC0415 - who does not wait needs no rich

            with shown(output) as show_progress:
                there.wait(done.written, limit, show_progress)


def remove(
    host: Annotated[str, typer.Argument(help="Host name.", metavar="HOST")],
    *,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = "5m",
    output: Output = Format.TABLE,
) -> None:
    """Have the edge answer on a host name no longer; as `skypanel delete domain HOST`.

    **Examples**

        skypanel domains remove shop.example.com --wait
    """
    limit = seconds(timeout)
    with backend(declares=True, why=reason) as there:
        done = there.delete([target_of(there.read, hosts.HOST, host)])
        for said in done.warnings:
            warn(said)
        show_written(done.written, output)
        if wait:
            from controller.cli.progress import shown  # noqa: PLC0415 - who does not wait needs no rich

            with shown(output) as show_progress:
                there.wait(done.written, limit, show_progress, deleted=True)


def open_(
    path: One,
    *,
    only_print: Annotated[bool, typer.Option("--print", "-p", help="Only print it, also where a browser is.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Print the address of an environment, and open it in a browser where there is one.

    It is that of its first host name that is answered, else of the first. A browser is looked for on a desktop, or
    where BROWSER names one.

    **Examples**

        skypanel open acme/shop
        curl -s $(skypanel open acme/shop --print)
    """
    with backend() as there:
        found = hosts.of(there.read, place(there.read, path))
        encrypted = there.is_encrypted()
    if output is not Format.TABLE:
        emit([{"url": hosts.address(o.path[-1], encrypted=encrypted), "ready": o.status.ready} for o in found], output)
        return
    url = hosts.address(found[0].path[-1], encrypted=encrypted)
    sys.stdout.write(f"{url}\n")
    if not found[0].status.ready:
        why = f"skypanel explain {found[0].kind.lower()} {found[0].name}"
        note(f"it is not answered yet: {found[0].status.reason} ({why})")
    if not only_print and console().is_terminal and any(os.environ.get(name) for name in _DESKTOPS):
        import webbrowser  # noqa: PLC0415 - on a server there is none

        webbrowser.open(url)
