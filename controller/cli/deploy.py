"""``deploy`` and ``scale``: another image, or another number of tasks, in the spec of an environment."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.actions.backend import ENVIRONMENT, Backend, Changed, NewApp
from controller.actions.errors import ActionError
from controller.actions.scaling import parse
from controller.actions.variables import parse as parse_config
from controller.cli.formats import Format, Output
from controller.cli.inputs import (
    Commit,
    DryRun,
    One,
    Reason,
    Timeout,
    Wait,
    backend,
    bytes_of,
    complete_scale,
    seconds,
)
from controller.cli.output import say, warn
from controller.cli.shown import show_written


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(name="deploy")(deploy)
    app.command(name="scale")(scale)


def deploy(
    path: One,
    image: Annotated[
        str | None, typer.Argument(help="Image, such as registry.example.com/shop/web:1.5.", metavar="IMAGE")
    ] = None,
    *,
    tag: Annotated[str, typer.Option("--tag", "-t", help="Another tag of the image that it has.", metavar="TAG")] = "",
    reason: Reason = "",
    commit: Commit = "",
    template: Annotated[str, typer.Option("--template", help="Make a new app of this template.", metavar="NAME")] = "",
    config: Annotated[
        str,
        typer.Option(
            "--config",
            help="With --template: file of NAME=value lines with config vars; - is standard input.",
            metavar="FILE",
        ),
    ] = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = "5m",
    output: Output = Format.TABLE,
) -> None:
    """Have an environment run another image, or another tag of the one that it has; or make an app of a template.

    PATH may end before the environment where the app has only one. It sets `image` in the spec, as `apply` does, and
    makes a release; with `--wait`, exit code 4 says that it was not ready in time or was taken back.

    With `--template`, PATH is that of an app which is not there yet; its environment is called production unless PATH
    says another name. App, environment, processes and config vars are made, all of them or none; `skypanel get
    templates` lists what there is.

    **Examples**

        skypanel deploy acme/shop registry.example.com/shop/web:1.5 --wait
        skypanel deploy acme/shop/production --tag 1.5 --reason "faster checkout" --commit c0ffee
        skypanel deploy acme/shop -t 1.5 --dry-run
        skypanel deploy acme/blog --template blog --config blog.env --wait
    """
    if template:
        if image or tag:
            raise ActionError("a template has its own image", "leave IMAGE and --tag out, and deploy another one then")
        _of_template(path, template, config, reason, wait, timeout, output, dry_run=dry_run)
        return
    if config:
        raise ActionError("--config is for --template", "`skypanel config import` sets variables of what is there")
    if bool(image) == bool(tag):
        raise ActionError(
            "name an image or a tag" if not image else "an image and --tag do not go together",
            f"skypanel deploy {path} IMAGE, or skypanel deploy {path} --tag TAG",
        )
    limit = seconds(timeout)
    with backend(declares=True, tries=dry_run, why=reason, commit=commit) as there:
        done = there.deploy(path, image or "", tag, dry_run=dry_run)
        _end(there, done, limit if wait and not dry_run else None, output, dry_run=dry_run)


def _of_template(  # noqa: PLR0917 - all of it is of the command line
    path: str, template: str, file: str, reason: str, wait: bool, timeout: str, output: Format, *, dry_run: bool
) -> None:
    organization, app, *environment = path.strip("/").split("/") if "/" in path.strip("/") else ("", "")
    if not (organization and app) or len(environment) > 1:
        raise ActionError(f"{path!r} is no path of a new app", "write ORGANIZATION/APP")
    given = {each.name: each.value.decode() for each in parse_config(bytes_of(file).decode(), file)} if file else {}
    wanted = NewApp(template, organization, app, environment[0] if environment else ENVIRONMENT, config=given)
    limit = seconds(timeout)
    with backend(declares=True, tries=dry_run, why=reason) as there:
        done, variables = there.deploy_template(wanted, dry_run=dry_run)
        if variables and output is Format.TABLE:
            say(f"config vars: {', '.join(variables)}", "dim")
        _end(there, done, limit if wait and not dry_run else None, output, dry_run=dry_run)


def scale(
    path: One,
    wanted: Annotated[
        list[str],
        typer.Argument(
            help="Number of tasks by process: web=3 worker=1.",
            metavar="PROCESS=NUMBER...",
            autocompletion=complete_scale,
        ),
    ],
    *,
    reason: Reason = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = "5m",
    output: Output = Format.TABLE,
) -> None:
    """Have processes of an environment run so many tasks.

    PATH may end before the environment where the app has only one. It sets `replicas` in the spec, of the processes
    that are named, all of them or none; an environment without processes is scaled by `web=NUMBER`. It makes no
    release.

    **Examples**

        skypanel scale acme/shop web=3 worker=1 --wait
        skypanel scale acme/hello/production web=0
    """
    numbers = parse(wanted)
    limit = seconds(timeout)
    with backend(declares=True, tries=dry_run, why=reason) as there:
        done = there.scale(path, numbers, dry_run=dry_run)
        _end(there, done, limit if wait and not dry_run else None, output, dry_run=dry_run)


def _end(there: Backend, done: Changed, limit: float | None, output: Format, *, dry_run: bool) -> None:
    for said in done.warnings:
        warn(said)
    show_written(done.written, output)
    if dry_run and output is Format.TABLE:
        say("nothing was changed: --dry-run", "dim")
    if limit is not None:
        from controller.cli.progress import shown  # noqa: PLC0415 - who does not wait needs no rich

        with shown(output) as show_progress:
            there.wait(done.written, limit, show_progress)
