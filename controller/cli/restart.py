"""``restart``: other tasks of the same release."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.formats import Format
from controller.cli.inputs import One, Timeout, Wait, backend, complete_process, seconds
from controller.cli.output import say


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="restart")(restart)


def restart(
    path: One,
    process: Annotated[
        str | None,
        typer.Argument(
            help="Process type, such as web; left out: all.", metavar="TYPE", autocompletion=complete_process
        ),
    ] = None,
    *,
    wait: Wait = False,
    timeout: Timeout = "5m",
) -> None:
    """Replace the tasks of an environment, or of one process, by new ones of the same release.

    It sets `restartToken` in the spec to the time of now. Tasks are replaced as by any other change, one after the
    other and the new one first; what does not come up is taken back. It makes no release.

    **Examples**

        skypanel restart acme/shop/production --wait
        skypanel restart acme/shop/production worker
    """
    limit = seconds(timeout)
    with backend(declares=True) as there:
        owner, token = there.restart(path, process)
        what = f"process {process} of {owner.name}" if process else owner.name
        say(f"{what}: restarts with token {token}")
        if wait:
            from controller.cli.progress import shown  # noqa: PLC0415 - who does not wait needs no rich

            with shown(Format.TABLE) as show_progress:
                there.wait_for((owner.kind.lower(), owner.id), limit, show_progress)
