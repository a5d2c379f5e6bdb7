"""The ``skypanel`` program: its commands, and how it ends."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated, Any

import typer
from rich.text import Text
from typer.exceptions import TyperException

from controller.cli import apply, check, delete, describe, doctor, gc, get, pause, plan, reconcile, run, trace
from controller.cli.failures import ExitCode, explain, readable
from controller.cli.output import error_console

_EPILOG = (
    "Exit codes: 0 done; 1 error; 2 something would change (plan, migrate --check, gc); 3 engine not supported (up); "
    "4 not ready in time or stalled (--wait); 130 interrupted."
)

app = typer.Typer(
    name="skypanel",
    help="Declare what runs on a Docker Swarm, and keep it running.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Declare what runs on a Docker Swarm, and keep it running.

    Settings come from the environment and from a file `.env`: DATABASE_URL, DOCKER_HOST, SKYPANEL_...
    """
    context.obj = {"debug": debug}


for module in (run, apply, plan, get, describe, trace, reconcile, pause, delete, check, doctor, gc):
    module.register(app)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code: Any = app(given, prog_name="skypanel", standalone_mode=False)
    except BrokenPipeError:  # whoever read has seen enough
        sys.stderr.close()
        return ExitCode.OK
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - said to the user, with its traceback when it is a surprise
        return _end(error, debug="--debug" in given)
    return int(code or 0)


def _end(error: BaseException, *, debug: bool) -> int:
    said = explain(error)
    if debug or said is None:
        sys.stderr.write("".join(readable(traceback.format_exception(error))))
    if said is None:
        error_console().print(Text.assemble(("error: ", "bold red"), "this should not have happened; please report it"))
        return ExitCode.ERROR
    lines, code = said
    for line in readable(lines):
        error_console().print(Text.assemble(("error: ", "bold red"), line))
    context: typer.Context | None = getattr(error, "ctx", None)
    if isinstance(error, TyperException) and context is not None:
        error_console().print(Text(f"See `{context.command_path} --help`.", style="dim"))
    return code
