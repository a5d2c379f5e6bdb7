"""The commands there are, in groups, and the help that lists them: said at once, with nothing else loaded."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from controller.cli.terminal import Screen, Text

_NAME = 12
_WIDEST = 120
ABOUT = "Declare what runs on a Docker Swarm, and keep it running."
EXIT_CODES = (
    "Exit codes: 0 done; 1 error; 2 something would change (plan, migrate --check, gc); 3 engine not supported (up); "
    "4 not ready in time or stalled (--wait); 130 interrupted."
)
OPTIONS = {
    "--context NAME": "Work with this installation; `skypanel context` lists those that are known.",
    "--env-file FILE": "A file of NAME=value lines, read after the environment, instead of /etc/skypanel/env.",
    "--debug": "Show the traceback of an error.",
    "--version, -V, -v": "Say which version this is.",
    "--install-completion": "Have the shell complete commands, kinds and names; --show-completion shows how.",
    "--help, -h": "Show this; `skypanel COMMAND --help` has examples.",
}


class Command(NamedTuple):
    """Where a command is, and the first line of its help, which a list of commands shows without loading it."""

    module: str
    summary: str


GROUPS: dict[str, dict[str, Command]] = {
    "Where": {
        "login": Command("context", "Log in to an installation by its API, and use it from now on."),
        "logout": Command(
            "context", "Forget the token of a context. The token itself stays good: `skypanel tokens revoke` ends it."
        ),
        "whoami": Command("context", "Say who commands are, and where."),
        "context": Command("context", "Contexts: the installations that commands work with, by name."),
    },
    "Look": {
        "apps": Command("get", "List the apps and how they are; as `get apps`."),
        "orgs": Command("get", "List the organizations and how they are; as `get organizations`."),
        "ps": Command(
            "running",
            "List the processes of environments: how many tasks of each run, of how many, from which image, and why "
            "not.",
        ),
        "get": Command("get", "Show declared objects and whether they are as declared."),
        "watch": Command(
            "get",
            "Keep showing declared objects and how they are, in one place, until interrupted; as `get --watch`.",
        ),
        "events": Command(
            "events", "Show what happened, the newest last: what the controller did, met with, or could not do."
        ),
        "open": Command("domains", "Print the address of an environment, and open it in a browser where there is one."),
        "describe": Command("describe", "Show all that is known of one object: what is wanted, how it is, and why."),
        "explain": Command(
            "explain",
            "Say why one object is not ready, or why it changed: the cause and its mend first, then link by link.",
        ),
        "runs": Command("run", "List the commands that were run in environments, and how they ended; as `get runs`."),
        "releases": Command(
            "releases", "List the releases of an environment, the newest first: what changed, by whom and why."
        ),
        "trace": Command(
            "trace",
            "Show the last reconciles of one object: what woke them, what they saw, planned and did, and for how long.",
        ),
        "export": Command("export", "Write declared objects as YAML that `apply` takes and `plan` finds equal."),
    },
    "Change": {
        "deploy": Command(
            "deploy",
            "Have an environment run another image, or another tag of the one that it has; or make an app of a"
            " template.",
        ),
        "edit": Command(
            "edit", "Open one declared object in an editor, show what its new text would change, and declare it."
        ),
        "scale": Command("deploy", "Have processes of an environment run so many tasks."),
        "domains": Command("domains", "Host names that the edge answers on: list, add and remove them."),
        "apply": Command(
            "apply", "Declare what the files say: create what is absent, change what differs, leave the rest."
        ),
        "plan": Command(
            "plan", "Show what `apply -f` would change, in the rows and then on the Swarm, and change nothing."
        ),
        "diff": Command("plan", "Show what `apply -f` would change; the same as `plan`."),
        "validate": Command(
            "validate", "Check spec files; every problem is named with its file, line, column and field."
        ),
        "delete": Command("delete", "Delete one declared object, or all that files declare, with everything below it."),
        "restore": Command("restore", "Undo the deletion of an object, with what was deleted together with it."),
        "promote": Command(
            "promote", "Have an environment run the image and the processes that another one of the same app runs."
        ),
        "rollback": Command(
            "releases",
            "Have an environment run the content of an earlier release: its image, config vars, processes, settings.",
        ),
        "run": Command(
            "run",
            "Run a command once in an environment, with the image, config vars, files and limits of its release.",
        ),
        "restart": Command(
            "restart", "Replace the tasks of an environment, or of one process, by new ones of the same release."
        ),
        "config": Command("config", "Config vars and secrets: set, unset and list them. Nothing gives a value back."),
        "registries": Command(
            "registries", "Users of registries: set, list, test and unset them. Nothing gives a password back."
        ),
        "images": Command("images", "Images: hand in what a scanner found in them, and list it."),
        "source": Command(
            "source", "Sources of spec files: password, age key, webhook, statuses of commits, and a look now."
        ),
    },
    "Steer the controller": {
        "reconcile": Command("reconcile", "Ask the controller to look at one object now."),
        "pause": Command("pause", "Stop the controller's work on one object, on an organization, or on everything."),
        "resume": Command("pause", "Let the controller's work go on, in the same words as it was paused."),
        "gc": Command("gc", "Show which removals wait for confirmation, by owner, and confirm them with `--confirm`."),
    },
    "Bring in": {
        "init": Command(
            "init", "Write a first spec file from what a repository has: Procfile, Dockerfile and app.json."
        ),
        "import": Command("importing", "Write spec files from what other programs read."),
        "adopt": Command("adopt", "Declare services that run on the Swarm already, and leave them as they run."),
        "schema": Command("validate", "Print the JSON Schema of a kind, for editors and other programs."),
    },
    "Who may": {
        "auth": Command("auth", "Who may do what: ask for one role or token, or see the table of all roles."),
        "bindings": Command("bindings", "Role bindings: which tokens of an OpenID Connect issuer have which role."),
        "tokens": Command("tokens", "API tokens: create, list, rotate and revoke them. Each is shown once."),
        "audit": Command("audit", "Audit: who changed what, export it, and verify that nobody changed it."),
        "user": Command("user", "Users: an organization has an owner."),
    },
    "Installation": {
        "up": Command("up", "Run the controller until SIGTERM or SIGINT."),
        "api": Command("api", "Serve the HTTP API until SIGTERM or SIGINT."),
        "setup": Command(
            "setup",
            "Make roles, database and schema on a PostgreSQL server, and write the files that the commands read.",
        ),
        "migrate": Command("migrate", "Bring the database to the schema of this version."),
        "doctor": Command(
            "doctor", "Check the engine, the Swarm, the edge, the database and its roles; say how to fix what is wrong."
        ),
        "identity": Command("identity", "Show whether database, Swarm and installation belong together."),
        "keys": Command("keys", "Keys: what opens config vars."),
        "version": Command("version", "Show the version of this program."),
    },
}
"""In the order of the help."""

OF_THE_MACHINE = ("up", "api", "setup", "migrate", "doctor")
"""What works with the settings of the machine that it is run on, whatever context there is."""
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}


def commands() -> dict[str, str]:
    """All that there are, and what the list of them says of each."""
    return {name: command.summary for name, command in COMMANDS.items()}


def overview() -> None:
    """The help of the program."""
    out = Screen()
    width = min(out.width, _WIDEST)
    out.print("")
    out.print(Text.assemble(("Usage: ", "bold"), "skypanel [OPTIONS] COMMAND [ARGS]..."))
    out.print("")
    _say(out, ABOUT, width)
    _say(
        out,
        "Settings come from the environment (DATABASE_URL, DOCKER_HOST, SKYPANEL_...), then from /etc/skypanel/env.",
        width,
    )
    for title, group in GROUPS.items():
        _listed(out, title, {name: command.summary for name, command in group.items()}, _NAME, width)
    _listed(out, "Options", OPTIONS, max(map(len, OPTIONS)) + 2, width)
    out.print("")
    _say(out, EXIT_CODES, width)


def _listed(out: Screen, title: str, entries: dict[str, str], room: int, width: int) -> None:
    out.print("")
    out.print(Text(title, "bold"))
    for name, summary in entries.items():
        first, *rest = _lines(summary, width - room - 2)
        out.print(Text.assemble("  ", (f"{name:<{room}}", "cyan"), first))
        for line in rest:
            out.print(f"  {'':<{room}}{line}")


def _say(out: Screen, text: str, width: int) -> None:
    for line in _lines(text, width):
        out.print(line)


def _lines(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
