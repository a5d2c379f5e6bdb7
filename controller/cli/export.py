"""``export``: rows as the spec files that declare them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from controller.actions.export import NOT_EXPORTED
from controller.actions.export import export as resources_of
from controller.actions.objects import question
from controller.actions.paths import ALL, apart
from controller.cli.errors import ExitCode
from controller.cli.formats import as_shown
from controller.cli.inputs import KindOrAll, Named, OrganizationFilter, backend
from controller.cli.output import complain, warn
from specs.dump import dump_yaml


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="export")(export)


def export(
    kind: KindOrAll = ALL,
    name: Named = None,
    *,
    organization: OrganizationFilter = None,
    elsewhere: Annotated[
        bool, typer.Option("--elsewhere", help="For another platform: without `release`, which names one of this.")
    ] = False,
) -> None:
    """Write declared objects as YAML that `apply` takes and `plan` finds equal.

    Owners come first, always in the same order, so that two exports can be compared. Values of config vars, status,
    users and what is being deleted are not in it. KIND and PATH choose as those of `get` do.

    An environment that was rolled back names a release, which no other platform has. With --elsewhere that is left out:
    what is declared beside it would run there, and each such environment is said.

    **Examples**

        skypanel export > everything.yaml
        skypanel export all acme/shop | skypanel plan -f -
        skypanel export -n acme > acme.yaml
        skypanel export --elsewhere > everywhere.yaml
    """
    ask = question(*apart(kind, name), organization or (), everything=False)
    with backend() as there, there.at_one_moment() as read:
        found = resources_of((entry for entries in ask(read).values() for entry in entries), elsewhere=elsewhere)
    sys.stdout.write(f"# Not exported: {NOT_EXPORTED}.\n")
    for each in found.released:
        said = "left out, what is declared beside it would run" if elsewhere else "known here alone, see --elsewhere"
        sys.stdout.write(as_shown(f"# {each}: {said}.\n"))
        if elsewhere:
            warn(f"{each} is left out: elsewhere what is declared beside it would run")
    if found.resources:
        sys.stdout.write(as_shown(dump_yaml(found.resources)))
    elif not found.left_out:
        warn("nothing is declared")
    if found.left_out:
        complain((f"left out with all below it: {why}" for why in found.left_out), "Mend the rows, or delete them.")
        raise typer.Exit(ExitCode.ERROR)
