"""The ``skypanel`` program: its commands, and how it ends."""

from __future__ import annotations

import gc
import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand
from typer.exceptions import TyperException
from typer.main import get_group

from controller.actions import habits
from controller.actions.errors import ActionError
from controller.cli import COMPLETES
from controller.cli.commands import ABOUT, COMMANDS, EXIT_CODES, OF_THE_MACHINE, commands
from controller.cli.errors import ExitCode, explain, readable
from controller.cli.helped import Command, Group
from controller.cli.helped import context as named_context
from specs import installed
from specs.spelling import meant

_MARKUP: Literal["markdown"] = "markdown"


def loaded(name: str) -> Any:
    """The command, with all that it needs: nearly all the time that a command takes goes into that."""
    app = typer.Typer(callback=lambda: None, rich_markup_mode=_MARKUP)
    import_module(f"controller.cli.{COMMANDS[name].module}").register(app)
    made = [app]
    for group in app.registered_groups:
        if not (isinstance(group.cls, type) and issubclass(group.cls, Group)):
            group.cls = Group
        made += [group.typer_instance] if group.typer_instance else []
    for command in (command for part in made for command in part.registered_commands):
        command.cls = Command
    return get_group(app).commands[name]


class _Commands(Group):
    """Names of commands, each loaded when it is asked for, and an answer for those of other tools."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.commands = {
            name: TyperCommand(name, help=summary, rich_markup_mode=_MARKUP) for name, summary in commands().items()
        }

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that ``args`` begin with.

        Raises:
            ActionError: there is none.
        """
        if args[0] in self.commands:
            return args[0], loaded(args[0]), args[1:]
        if args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        slip = meant(args[0], (name for name in self.commands if name != "delete"))
        hint = habits.of_command(args) or (f"did you mean {slip}?" if slip else "`skypanel --help` lists the commands")
        raise ActionError(f"{args[0]!r} is not a command", hint)


def _application() -> typer.Typer:
    app = typer.Typer(
        name="skypanel",
        cls=_Commands,
        help=ABOUT,
        epilog=EXIT_CODES,
        rich_markup_mode=_MARKUP,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    return app


def _say_version(wanted: bool) -> None:
    if wanted:
        from controller.cli.version_line import say_version  # noqa: PLC0415 - see ``loaded``

        say_version()
        raise typer.Exit


def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback ends the program
        bool,
        typer.Option("--version", "-V", "-v", help="Say which version this is.", is_eager=True, callback=_say_version),
    ] = False,
    context_name: Annotated[
        str | None,
        typer.Option(
            "--context", help="Work with the installation of this name; see `skypanel context`.", metavar="NAME"
        ),
    ] = None,
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
    named_context.set(context_name or "")
    if context_name and context.invoked_subcommand in OF_THE_MACHINE:
        raise ActionError(
            f"`skypanel {context.invoked_subcommand}` is of this machine: it takes settings, and no context",
            "leave --context out; --env-file FILE names settings",
        )
    if env_file is not None:
        from controller.cli.inputs import use_env_file  # noqa: PLC0415 - see ``loaded``

        use_env_file(env_file)
    context.obj = {"debug": debug}
    if not gc.get_freeze_count():  # once, where one process runs several
        gc.freeze()  # all is imported, and stays: it need not be looked through, now or at the end
    gc.enable()
    if context.invoked_subcommand != "up":  # which logs it
        _warn_of_packages()


def _warn_of_packages() -> None:
    if installed.packages():
        from controller.cli.output import warn  # noqa: PLC0415 - see ``loaded``
        from reconcilers.registry import registered  # noqa: PLC0415 - see ``loaded``

        registered()  # a reconciler that is broken is found by looking for it
        for said in installed.broken():
            warn(said)


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code."""
    given = list(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # who reads it through a pipe sees what is done when it is done
    try:
        code: Any = _application()(given, prog_name="skypanel", standalone_mode=False)
    except BrokenPipeError:  # whoever read has seen enough
        sys.stderr.close()
        return ExitCode.OK
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - said to the user, with its traceback when it is a surprise
        return _end(error, debug="--debug" in given)
    return int(code or 0)


def _end(error: BaseException, *, debug: bool) -> int:
    from controller.cli.output import complain  # noqa: PLC0415 - see ``loaded``

    if COMPLETES in os.environ:  # a line that is being typed is not to be broken by what is wrong with it
        return ExitCode.ERROR
    said = explain(error)
    if debug or said is None:
        sys.stderr.write("".join(readable(traceback.format_exception(error))))
    if said is None:
        complain(["this is a bug; please report it"])
        return ExitCode.ERROR
    lines, code = said
    context: typer.Context | None = getattr(error, "ctx", None) if isinstance(error, TyperException) else None
    complain(readable(lines), f"See `{context.command_path} --help`." if context else "")
    return code
