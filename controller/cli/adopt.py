"""``adopt``: services that run already become declared."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.actions import adopt as action
from controller.actions import swarm_view, unadopt
from controller.actions.adopt import Adoption
from controller.actions.errors import ActionError
from controller.cli.inputs import database, settings
from controller.cli.output import counted, say, table
from controller.swarm.errors import EngineError
from specs.compose.convert import Wanted


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="adopt")(adopt)


def adopt(
    *,
    organization: Annotated[
        str, typer.Option("--organization", "-n", help="That the apps are to belong to.", metavar="NAME")
    ],
    service: Annotated[
        list[str] | None, typer.Option("--service", help="Service of the Swarm; may be repeated.", metavar="NAME")
    ] = None,
    stack: Annotated[str, typer.Option("--stack", help="All services of a stack.", metavar="NAME")] = "",
    environment: Annotated[str, typer.Option(help="Name of each app's environment.", metavar="NAME")] = "production",
    app: Annotated[
        str, typer.Option(help="Name of the app; of several ones, what their names begin with.", metavar="NAME")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it is only shown.")] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take it back: the services are nobody's again, and run on.")
    ] = False,
) -> None:
    """Declare services that run on the Swarm already, and leave them as they run.

    Each becomes an App with one Environment, its host names in labels of Traefik become Domains, and its variables
    config vars, sealed and never shown. What has no counterpart is listed. Without --yes nothing is written.

    The environments are paused, and no task is restarted. `skypanel resume` of one makes its service anew beside the
    one that runs, gives it the host names when it is ready, and then removes the former one.

    **Examples**

        skypanel adopt --stack blog -n acme
        skypanel adopt --stack blog -n acme --yes
        skypanel adopt --service legacy_web -n acme --app shop --yes
        skypanel resume environment acme/shop/production
        skypanel adopt --stack blog -n acme --undo

    Until an environment is resumed, `--undo` with the same words takes it back: no task is restarted then either.
    """
    if yes and undo:
        raise ActionError("--yes adopts, --undo takes an adoption back", "give one of them")
    if not service and not stack:
        raise ActionError("which services?", "name them with --service, or a whole stack with --stack")
    found = settings()
    wanted = Wanted(organization, environment, app, registries=found.skypanel_allowed_registries)
    engine = swarm_view.client(found)
    try:
        adoption = action.look(engine, service or (), stack, wanted)
        if undo:
            with database(declares=True, why="taken back") as conn:
                gone = unadopt.take_back(conn, engine, adoption)
            rows = counted(sum(each.changed for each in gone), "row")
            say(f"taken back: {counted(len(adoption.taken), 'service')}, {rows} deleted; no task was restarted")
            return
        for each in adoption.taken:
            if not yes:
                action.refuse_owned(engine.call("GET", f"/services/{each.id}"), found.options.installation, "")
        show(adoption)
        if not yes:
            say("Nothing was written: --yes does it.")
            return
        with database(declares=True, why="adopted") as conn:
            written = action.carry_out(conn, engine, found.vault, adoption, found.options)
    except EngineError as error:
        raise ActionError(f"the engine cannot be asked: {error}", "see DOCKER_HOST, and `skypanel doctor`") from None
    finally:
        engine.close()
    made = sum(each.changed for each in written)
    say(f"adopted: {counted(len(adoption.taken), 'service')}, {counted(made, 'row')} written; no task was restarted")
    for each in adoption.taken:
        say(f"  skypanel resume environment {each.name}  makes {each.service} anew, and hands over")


def show(adoption: Adoption) -> None:
    """What becomes of each service, and what is not kept."""
    table(
        ("SERVICE", "BECOMES", "CONFIG VARS"),
        [(each.service, each.name, ", ".join(sorted(each.variables)) or "none") for each in adoption.taken],
        wrap="CONFIG VARS",
    )
    if not adoption.lost:
        return
    say()
    table(
        ("NOT KEPT OF", "FIELD", "WHY, AND WHAT TO DO"),
        [
            (each.service, each.field, f"{each.message} ({each.hint})" if each.hint else each.message)
            for each in adoption.lost
        ],
        wrap="WHY, AND WHAT TO DO",
    )
