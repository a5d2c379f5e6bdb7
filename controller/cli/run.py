"""``run`` and ``runs``: a command that is run once in an environment, and those that were."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from controller.actions.run_ends import Ended
from controller.cli.formats import Format, WideOutput
from controller.cli.inputs import One, Reason, backend, complete_place, seconds
from controller.cli.listing import Watch, show_list
from controller.cli.output import note, say
from specs.kinds import RUN
from specs.units import format_duration

NO_CODE = 1
"""What the command ends with where its program has no exit code of its own, or none is known."""


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(name="run", context_settings={"allow_interspersed_args": True})(run)
    app.command(name="runs")(runs)


def run(
    path: One,
    command: Annotated[
        list[str],
        typer.Argument(help="Program and its arguments; -- before them where they have options.", metavar="COMMAND..."),
    ],
    *,
    plan: Annotated[
        str,
        typer.Option("--size", "--plan", help="Plan that limits it, in place of the environment's.", metavar="PLAN"),
    ] = "",
    timeout: Annotated[
        str, typer.Option(help="It is stopped when it has not ended after so long; up to 24h.", metavar="DURATION")
    ] = "1h",
    release: Annotated[
        int | None,
        typer.Option("--release", help="Release that it runs in; left out: the one that serves.", metavar="N"),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not wait until it is over.")] = False,
    reason: Reason = "",
) -> None:
    """Run a command once in an environment, with the image, config vars, files and limits of its release.

    It waits until the command is over, and ends with its exit code; where there is none, as it was stopped or could not
    be started, with 1. To interrupt it leaves the command running: `skypanel delete run` stops it. The command is never
    run twice: where nobody can know how it ended, that is said. What it prints is in `docker service logs` of the job,
    as long as it runs.

    **Examples**

        skypanel run acme/shop/production -- rake db:migrate
        skypanel run acme/shop --timeout 10m --size large -- bin/import --all
        skypanel run acme/shop/production --detach -- bin/report
    """
    limit = format_duration(timedelta(seconds=seconds(timeout)))
    said = {"command": command, "plan": plan or None, "timeout": limit, "release": release}
    spec = {name: value for name, value in said.items() if value is not None}
    with backend(declares=True, why=reason) as there:
        written, reads = there.run(path, spec)
        say(f"{written.target.name}")
        if reads:
            note(f"what it prints, while it runs: {reads}")
        if detach:
            return
        from controller.cli.progress import shown  # noqa: PLC0415 - who does not wait needs no rich

        with shown(Format.TABLE) as show:
            ended = there.ended(written, show)
    raise typer.Exit(code_of(ended))


def code_of(ended: Ended) -> int:
    """What the command ends with."""
    if ended.outcome == "succeeded":
        return 0
    return (ended.exit_code or NO_CODE) & 0xFF or NO_CODE


def runs(
    path: Annotated[
        str | None,
        typer.Argument(help="Only at this path and below it.", metavar="PATH", autocompletion=complete_place),
    ] = None,
    *,
    watch: Watch = False,
    output: WideOutput = Format.TABLE,
) -> None:
    """List the commands that were run in environments, and how they ended; as `get runs`.

    **Examples**

        skypanel runs acme/shop/production
        skypanel runs acme --watch
    """
    show_list(RUN, path, output, watch=watch)
