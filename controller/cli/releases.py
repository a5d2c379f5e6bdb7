"""``releases``, ``rollback``: what ran, and going back to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from controller.actions.errors import ActionError
from controller.actions.released import Release, document, state
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import One, Reason, Timeout, Wait, backend, seconds
from controller.cli.output import age, say, table, warn


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(name="releases")(releases)
    app.command(name="rollback")(rollback)


def releases(path: One, *, output: Output = Format.TABLE) -> None:
    """List the releases of an environment, the newest first: what changed, by whom and why.

    Each change of image, config vars, processes or settings makes one; scale, size, place, domains and suspension do
    not. The newest is what runs, or is on its way.

    **Examples**

        skypanel releases acme/shop/production
        skypanel releases acme/shop/production -o json
    """
    with backend() as there:
        show_releases(there.releases(path), output)


def rollback(
    path: One,
    release: Annotated[
        int | None,
        typer.Argument(help="Release; left out: the last one before this that all tasks ran.", metavar="RELEASE"),
    ] = None,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Run again what is declared.")] = False,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = "5m",
) -> None:
    """Have an environment run the content of an earlier release: its image, config vars, processes, settings.

    It sets `release` in the spec, which makes a new release with that content. What else is declared for these has no
    effect until `release` is cleared, by `--undo` or by spec files without it.

    **Examples**

        skypanel rollback acme/shop/production --wait
        skypanel rollback acme/shop/production 12 --reason "checkout fails"
        skypanel rollback acme/shop/production --undo
    """
    limit = seconds(timeout)
    if undo and release is not None:
        raise ActionError("--undo runs what is declared: it takes no release", "leave one of them out")
    with backend(declares=True, why=reason) as there:
        done = there.roll_back(path, release, undo=undo)
        owner = done.owner
        if undo:
            say(f"{owner.name}: runs what is declared" + ("" if done.was else ", as before"))
        else:
            say(f"{owner.name}: runs the content of release {done.version}")
            if not done.known:
                said = "whether it can run with today's domains and scale was not looked at, as this role may not"
                warn(f"{said}: `skypanel explain {owner.kind.lower()} {owner.name}` says it")
        if wait:
            from controller.cli.progress import shown  # noqa: PLC0415 - who does not wait needs no rich

            with shown(Format.TABLE) as show_progress:
                there.wait_for((owner.kind.lower(), owner.id), limit, show_progress)


def show_releases(found: Sequence[Release], output: Format) -> None:
    """One a line."""
    if output is not Format.TABLE:
        emit([document(release) for release in found], output)
        return
    if not found:
        say("there is no release yet")
        return
    rows = [
        (str(release.version), state(release), age(release.made_at), release.by or "", _change(release))
        for release in found
    ]
    table(("RELEASE", "STATE", "AGE", "BY", "CHANGE"), rows, wrap="CHANGE")


def _change(release: Release) -> str:
    """What is another than before, and why: ``image web:2, cmd: faster (c0ffee)``."""
    image = f"image {release.image.partition('@')[0]}"
    words = [image if word == "image" else word for word in release.changed] or [image]
    what = ", ".join(words) if release.content_of is None else f"content of {release.content_of}"
    said = " ".join(filter(None, (release.why, release.commit and f"({release.commit[:12]})")))
    return f"{what}: {said}" if said else what
