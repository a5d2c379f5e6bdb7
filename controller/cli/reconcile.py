"""``reconcile``: have the controller look at one object now, at the engine itself, and try again what failed."""

from __future__ import annotations

import typer

from controller.cli.inputs import Kind, Named, Timeout, Wait, backend, seconds
from controller.cli.output import say


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="reconcile")(reconcile)


def reconcile(
    kind: Kind,
    name: Named = None,
    *,
    wait: Wait = False,
    timeout: Timeout = "1m",
) -> None:
    """Ask the controller to look at one object now.

    It reads from the engine what lives of the object, does not wait for the end of a backoff, and tries a version that
    was rolled back once more. `--wait` waits until it has looked, and prints what came of it; a rollout may still be on
    its way then.

    **Examples**

        skypanel reconcile environment acme/shop/production --wait
    """
    limit = seconds(timeout)
    with backend(tells=True) as there:
        request = there.look(kind, name)
        if wait:
            reason, message = there.looked(request, limit)
            say(f"{request.words}  {reason}  {message}")
        else:
            say(f"requested a reconcile of {request.words}")
