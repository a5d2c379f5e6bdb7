"""``pause``, ``resume``: stop the controller's work on an object, an organization or everything, and let it go on."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.actions.paths import complete
from controller.actions.pause import Scope
from controller.cli.inputs import Named, backend
from controller.cli.output import say

Kind = Annotated[str | None, typer.Argument(help="Its kind, such as env.", metavar="KIND", autocompletion=complete)]
Organization = Annotated[
    str | None, typer.Option("--organization", "-n", help="Everything of this organization.", metavar="NAME")
]
Everything = Annotated[bool, typer.Option("--all", "-a", help="The whole installation.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(name="pause")(pause)
    app.command(name="resume")(resume)


def pause(
    kind: Kind = None,
    name: Named = None,
    *,
    organization: Organization = None,
    everything: Everything = False,
    reason: Annotated[str, typer.Option(help="Reason; the status shows it.", metavar="TEXT")] = "",
) -> None:
    """Stop the controller's work on one object, on an organization, or on everything.

    What runs goes on as it is. Nothing is made, changed, repaired or removed until `skypanel resume`, not even what is
    to be deleted; the status says who paused it, when and why. A reconcile that is running ends first.

    To stop the tasks of an environment, set `suspended` in its spec instead.

    **Examples**

        skypanel pause environment acme/shop/production --reason "looking into a leak"
        skypanel pause --organization acme
        skypanel pause --all --reason "engine upgrade"
    """
    what = Scope(kind, name, organization, everything)
    with backend(tells=True) as there:
        say(f"paused {there.pause(what, reason)}")


def resume(
    kind: Kind = None,
    name: Named = None,
    *,
    organization: Organization = None,
    everything: Everything = False,
) -> None:
    """Let the controller's work go on, in the same words as it was paused.

    A wider pause still holds what is in it: that of an organization, or of the installation.

    **Examples**

        skypanel resume environment acme/shop/production
        skypanel resume --all
    """
    what = Scope(kind, name, organization, everything)
    with backend(tells=True) as there:
        done = there.resume(what)
        say(f"resumed {done.words}" if done.was else f"{done.words} was not paused")
        if done.by is not None:
            say(f"it is still paused with the installation, by {done.by}: `skypanel resume --all`")
