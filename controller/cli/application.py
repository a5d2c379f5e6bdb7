"""The ``skypanel`` program: its commands, and how it ends."""

from __future__ import annotations

import gc
import io
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand
from typer.exceptions import TyperException
from typer.main import get_group

from controller.actions import habits
from controller.actions.errors import ActionError
from controller.cli.errors import ExitCode, explain, readable
from controller.cli.helped import Command, Group
from specs import installed
from specs.spelling import meant

_MARKUP: Literal["markdown"] = "markdown"
_EPILOG = (
    "Exit codes: 0 done; 1 error; 2 something would change (plan, migrate --check, gc); 3 engine not supported (up); "
    "4 not ready in time or stalled (--wait); 130 interrupted."
)


@dataclass(frozen=True, slots=True)
class _Command:
    """Where a command is, and the first line of its help, which a list of commands shows without loading it."""

    module: str
    summary: str


_COMMANDS = {
    "up": _Command("up", "Run the controller until SIGTERM or SIGINT."),
    "api": _Command("api", "Serve the HTTP API until SIGTERM or SIGINT."),
    "migrate": _Command("migrate", "Bring the database to the schema of this version."),
    "version": _Command("version", "Show the version of this program."),
    "setup": _Command(
        "setup", "Make roles, database and schema on a PostgreSQL server, and write the files that the commands read."
    ),
    "apply": _Command(
        "apply", "Declare what the files say: create what is absent, change what differs, leave the rest."
    ),
    "plan": _Command(
        "plan", "Show what `apply -f` would change, in the rows and then on the Swarm, and change nothing."
    ),
    "get": _Command("get", "Show declared objects and whether they are as declared."),
    "describe": _Command("describe", "Show all that is known of one object: what is wanted, how it is, and why."),
    "explain": _Command(
        "explain",
        "Say why one object is not ready, or why it changed: the cause and its mend first, then link by link.",
    ),
    "export": _Command("export", "Write declared objects as YAML that `apply` takes and `plan` finds equal."),
    "trace": _Command(
        "trace",
        "Show the last reconciles of one object: what woke them, what they saw, planned and did, and for how long.",
    ),
    "reconcile": _Command("reconcile", "Ask the controller to look at one object now."),
    "pause": _Command("pause", "Stop the controller's work on one object, on an organization, or on everything."),
    "resume": _Command("pause", "Let the controller's work go on, in the same words as it was paused."),
    "config": _Command("config", "Config vars and secrets: set, unset and list them. Nothing gives a value back."),
    "source": _Command("source", "Sources of spec files: set a password, look now."),
    "registries": _Command(
        "registries", "Users of registries: set, list, test and unset them. Nothing gives a password back."
    ),
    "images": _Command("images", "Images: hand in what a scanner found in them, and list it."),
    "releases": _Command(
        "releases", "List the releases of an environment, the newest first: what changed, by whom and why."
    ),
    "rollback": _Command(
        "releases",
        "Have an environment run the content of an earlier release: its image, config vars, processes and settings.",
    ),
    "promote": _Command(
        "promote", "Have an environment run the image and the processes that another one of the same app runs."
    ),
    "restart": _Command(
        "restart", "Replace the tasks of an environment, or of one process, by new ones of the same release."
    ),
    "audit": _Command("audit", "Audit: who changed what, export it, and verify that nobody changed it."),
    "auth": _Command("auth", "Who may do what: ask for one role or token, or see the table of all roles."),
    "tokens": _Command("tokens", "API tokens: create, list, rotate and revoke them. Each is shown once."),
    "delete": _Command("delete", "Delete one declared object, or all that files declare, with everything below it."),
    "restore": _Command("restore", "Undo the deletion of an object, with what was deleted together with it."),
    "validate": _Command("validate", "Check spec files; every problem is named with its file, line, column and field."),
    "import": _Command("importing", "Write spec files from what other programs read."),
    "adopt": _Command("adopt", "Declare services that run on the Swarm already, and leave them as they run."),
    "schema": _Command("validate", "Print the JSON Schema of a kind, for editors and other programs."),
    "doctor": _Command(
        "doctor", "Check the engine, the Swarm, the edge, the database and its roles; say how to fix what is wrong."
    ),
    "gc": _Command("gc", "Show which removals wait for confirmation, by owner, and confirm them with `--confirm`."),
    "identity": _Command("identity", "Show whether database, Swarm and installation belong together."),
    "keys": _Command("keys", "Keys: what opens config vars."),
    "user": _Command("user", "Users: an organization has an owner."),
}
"""In the order of the help."""


def commands() -> dict[str, str]:
    """All that there are, and what the list of them says of each."""
    return {name: command.summary for name, command in _COMMANDS.items()}


def loaded(name: str) -> Any:
    """The command, with all that it needs: nearly all the time that a command takes goes into that."""
    app = typer.Typer(callback=lambda: None, rich_markup_mode=_MARKUP)
    import_module(f"controller.cli.{_COMMANDS[name].module}").register(app)
    made = [app]
    for group in app.registered_groups:
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
        if args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        slip = meant(args[0], (name for name in self.commands if name != "delete"))
        hint = habits.of_command(args) or (f"did you mean {slip}?" if slip else "`skypanel --help` lists the commands")
        raise ActionError(f"{args[0]!r} is not a command", hint)


def _application() -> typer.Typer:
    app = typer.Typer(
        name="skypanel",
        cls=_Commands,
        help="Declare what runs on a Docker Swarm, and keep it running.",
        epilog=_EPILOG,
        rich_markup_mode=_MARKUP,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    return app


def _say_version(wanted: bool) -> None:
    if wanted:
        from controller.cli.version import version  # noqa: PLC0415 - see ``loaded``

        version()
        raise typer.Exit


def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback ends the program
        bool,
        typer.Option("--version", "-V", "-v", help="Say which version this is.", is_eager=True, callback=_say_version),
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


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = _meant(sys.argv[1:] if arguments is None else arguments)
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


def _meant(given: Sequence[str]) -> list[str]:
    """``given``, with the help that ``help COMMAND`` and nothing at all ask for."""
    if not given or given[0] == "help":
        return [*given[1:], "--help"]
    return list(given)


def _end(error: BaseException, *, debug: bool) -> int:
    from controller.cli.output import complain  # noqa: PLC0415 - see ``loaded``

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
