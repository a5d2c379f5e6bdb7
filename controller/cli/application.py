"""The ``skypanel`` program: its commands, and how it ends."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperGroup
from typer.exceptions import TyperException

from controller.actions import habits
from controller.actions.errors import ActionError
from controller.cli.errors import ExitCode, explain, readable
from controller.cli.inputs import use_env_file
from controller.cli.output import Format, error_console, warn
from reconcilers.registry import registered
from specs import installed
from specs.spelling import meant

_EPILOG = (
    "Exit codes: 0 done; 1 error; 2 something would change (plan, migrate --check, gc); 3 engine not supported (up); "
    "4 not ready in time or stalled (--wait); 130 interrupted."
)

_COMMANDS = {
    "up": ("up", "migrate", "version"),
    "setup": ("setup",),
    "user": ("user",),
    "apply": ("apply",),
    "plan": ("plan",),
    "get": ("get",),
    "describe": ("describe",),
    "trace": ("trace",),
    "reconcile": ("reconcile",),
    "pause": ("pause", "resume"),
    "delete": ("delete",),
    "restore": ("restore",),
    "validate": ("validate", "schema"),
    "doctor": ("doctor",),
    "gc": ("gc",),
    "identity": ("identity",),
}
"""Modules and their commands, in the order of the help. `up` starts in half the time without the others."""


def commands() -> list[str]:
    """All that there are."""
    return [name for names in _COMMANDS.values() for name in names]


def _modules(given: Sequence[str]) -> list[str]:
    """The module of the command that is meant; all of them when that is not plain."""
    wanted = next((word for word in given if not word.startswith("-")), "")
    return [module for module, commands in _COMMANDS.items() if wanted in commands] or list(_COMMANDS)


class _Commands(TyperGroup):
    """Commands, and an answer for those of other tools."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that ``args`` begin with.

        Raises:
            ActionError: there is none.
        """
        if args[0] in self.commands or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        slip = meant(args[0], (name for name in self.commands if name != "delete"))
        hint = habits.of_command(args) or (f"did you mean {slip}?" if slip else "`skypanel --help` lists the commands")
        raise ActionError(f"{args[0]!r} is not a command", hint)


def _application(given: Sequence[str]) -> typer.Typer:
    app = typer.Typer(
        name="skypanel",
        cls=_Commands,
        help="Declare what runs on a Docker Swarm, and keep it running.",
        epilog=_EPILOG,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    for module in _modules(given):
        import_module(f"controller.cli.{module}").register(app)
    return app


def _say_version(wanted: bool) -> None:
    if wanted:
        import_module("controller.cli.up").version(Format.TABLE)
        raise typer.Exit


def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback ends the program
        bool, typer.Option("--version", "-V", help="Say which version this is.", is_eager=True, callback=_say_version)
    ] = False,
    env_file: Annotated[
        Path | None,
        typer.Option(
            help="A file of NAME=value lines, read after the environment, instead of /etc/skypanel/env.",
            metavar="FILE",
            envvar="SKYPANEL_ENV_FILE",
        ),
    ] = None,
) -> None:
    """Declare what runs on a Docker Swarm, and keep it running.

    Settings come from the environment (DATABASE_URL, DOCKER_HOST, SKYPANEL_...), then from /etc/skypanel/env.
    """
    if env_file is not None:
        use_env_file(env_file)
    context.obj = {"debug": debug}
    if context.invoked_subcommand != "up":  # which logs it
        if installed.packages():
            registered()  # a reconciler that is broken is found by looking for it
        for said in installed.broken():
            warn(said)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = _meant(sys.argv[1:] if arguments is None else arguments)
    try:
        code: Any = _application(given)(given, prog_name="skypanel", standalone_mode=False)
    except BrokenPipeError:  # whoever read has seen enough
        sys.stderr.close()
        return ExitCode.OK
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - said to the user, with its traceback when it is a surprise
        return _end(error, debug="--debug" in given)
    return int(code or 0)


def _meant(given: Sequence[str]) -> list[str]:
    """``given``, with the help that ``help COMMAND`` and nothing at all ask for."""
    if not given or given[0] == "help":
        return [*given[1:], "--help"]
    return list(given)


def _end(error: BaseException, *, debug: bool) -> int:
    said = explain(error)
    if debug or said is None:
        sys.stderr.write("".join(readable(traceback.format_exception(error))))
    if said is None:
        error_console().print(Text.assemble(("error: ", "bold red"), "this is a bug; please report it"))
        return ExitCode.ERROR
    lines, code = said
    for line in readable(lines):
        error_console().print(Text.assemble(("error: ", "bold red"), line))
    context: typer.Context | None = getattr(error, "ctx", None)
    if isinstance(error, TyperException) and context is not None:
        error_console().print(Text(f"See `{context.command_path} --help`.", style="dim"))
    return code
