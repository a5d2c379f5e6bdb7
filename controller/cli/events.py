"""``events``: what happened, and what goes on to happen."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from controller.actions.errors import ActionError
from controller.cli.formats import Format, Output, emit, line
from controller.cli.inputs import backend, complete_place
from controller.cli.output import age, console, paragraph, say
from controller.cli.terminal import Text
from controller.declared.happened import Happened

_WARNING = "Warning"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="events")(events)


def events(
    path: Annotated[
        str | None,
        typer.Argument(
            help="Only of what is at this path and below it: acme/shop, or env/acme/shop/production.",
            metavar="PATH",
            autocompletion=complete_place,
        ),
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with each one as it happens.")] = False,
    number: Annotated[
        int, typer.Option("--number", help="How many of the last ones.", metavar="NUMBER", min=0, max=500)
    ] = 20,
    output: Output = Format.TABLE,
) -> None:
    """Show what happened, the newest last: what the controller did, met with, or could not do.

    Equal ones in a row are one, with a count. With `--follow -o json` each is a line.

    **Examples**

        skypanel events acme/shop
        skypanel events -f
        skypanel events env/acme/shop/production -f -o json | jq .message
    """
    if follow and not output.streams:
        raise ActionError("--follow shows lines, or JSON", "leave out -o yaml")
    with backend() as there:
        if follow:
            show_as_they_come(there.followed(path, number), output)
        else:
            show_events(there.events(path, number), output)


def show_events(found: Sequence[Happened], output: Format) -> None:
    """A line or two each."""
    if output is not Format.TABLE:
        emit([each.document() for each in found], output)
        return
    if not found:
        say("nothing happened that is still kept")
        return
    for each in found:
        _line(f"{age(each.last_at):<6}", each)


def show_as_they_come(found: Iterable[Happened], output: Format) -> None:
    """A line or two each, at once."""
    for each in found:
        if output is not Format.TABLE:
            sys.stdout.write(line(each.document(), output) + "\n")
        else:
            _line(f"{each.last_at.astimezone():%H:%M:%S} ", each)
        console().file.flush()


def _line(when: str, each: Happened) -> None:
    style = "yellow" if each.type == _WARNING else "green"
    head = Text.assemble((when, "dim"), (each.reason, style), f" {each.kind} {each.path or each.object}")
    message = f"{each.message}{f' ({each.count} times)' if each.count > 1 else ''}"
    if console().is_terminal:
        console().print(head)
        paragraph(Text(" " * len(when)), message)
    else:
        paragraph(head.append(": "), message)
