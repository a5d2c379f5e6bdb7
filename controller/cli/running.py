"""``ps``: processes, and how many tasks of each run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from controller.actions.processes import Running, listed
from controller.actions.standing import Tone
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import OrganizationFilter, backend, complete_place
from controller.cli.output import paragraph, say, table
from controller.cli.states import brief
from controller.cli.terminal import Text

_STYLES = {Tone.READY: "green", Tone.DOWN: "red", Tone.NEEDS_YOU: "red"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="ps")(ps)


def ps(
    path: Annotated[
        str | None,
        typer.Argument(help="Only at this path and below it.", metavar="PATH", autocompletion=complete_place),
    ] = None,
    *,
    organization: OrganizationFilter = None,
    output: Output = Format.TABLE,
) -> None:
    """List the processes of environments: how many tasks of each run, of how many, from which image, and why not.

    It is what the controller said last; `skypanel describe env PATH` shows the tasks themselves, one by one.

    **Examples**

        skypanel ps acme/shop
        skypanel ps -n acme -o json
    """
    with backend() as there:
        show_processes(listed(there.read, path, organization or ()), output)


def show_processes(found: Sequence[Running], output: Format) -> None:
    """A line a process."""
    if output is not Format.TABLE:
        emit([each.document() for each in found], output)
        return
    if not found:
        say("nothing is declared that has processes")
        return
    rows = [
        (
            each.owner.name,
            each.process,
            f"{'-' if each.running is None else each.running}/{each.wanted}",
            Text(each.tone or "-", _STYLES.get(each.tone, "yellow") if each.tone else "dim"),
            each.image,
        )
        for each in found
    ]
    table(("ENVIRONMENT", "PROCESS", "TASKS", "STATE", "IMAGE"), rows, cut=("IMAGE",))
    for each in {each.owner.name: each for each in found if each.tone not in (None, Tone.READY)}.values():
        message = brief(each.message, each.owner.name, each.owner.details)
        paragraph(Text.assemble((each.owner.name, "bold"), ": "), f"{each.reason}: {message}", hang=2)
