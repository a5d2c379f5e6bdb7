"""What commands are given: settings, spec files, the database that the settings name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from controller import settings_sources
from controller.actions.errors import ActionError
from controller.actions.paths import complete, complete_or_all, listed
from controller.cli import target
from controller.cli.contexts import TOKEN
from controller.cli.helped import running
from controller.settings_sources import API, DATABASE, PEOPLE, installed_file, read, sources, value_of
from specs.kinds import TENANT
from specs.placeholders import Value, check_values
from specs.problems import RefusedError
from specs.units import parse_duration

if TYPE_CHECKING:
    import psycopg
    from pydantic import BaseModel

    from controller.actions.backend import Backend
    from controller.cli.contexts import Context
    from controller.declared.objects import Read
    from controller.settings import Settings
    from controller.vault.sops import Identities
    from specs.loader import Files as SpecFiles


_PATIENCE_SECONDS = 2.0
"""For which a shell that completes waits for the database, whatever it is that takes so long there."""


def _asked(ask: Callable[[Read], list[str]]) -> list[str]:
    """For the shell: what there is. Silent, and soon, when it cannot be asked."""
    found: list[str] = []

    def look() -> None:
        with suppress(Exception), backend() as there:
            found.extend(ask(there.read))

    asking = Thread(target=look, daemon=True)  # nothing waits for its end: not for hosts, nor for locks
    asking.start()
    asking.join(_patience())
    return list(found)


def _patience() -> float:
    said = os.environ.get("PGCONNECT_TIMEOUT", "")
    return (float(said) if said.isdecimal() else 0.0) or _PATIENCE_SECONDS


def complete_path(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell: names of the kind that was typed before."""
    from controller.actions.completion import names  # noqa: PLC0415 - no other command needs it

    return _asked(lambda read: names(read, str(context.params.get("kind") or ""), incomplete))


def complete_place(incomplete: str) -> list[str]:
    """For the shell: paths of what has releases, name by name."""
    from controller.actions.completion import places  # noqa: PLC0415 - as above

    return _asked(lambda read: places(read, incomplete))


def complete_tenant(incomplete: str) -> list[str]:
    """For the shell: what everything else belongs to."""
    from controller.actions.completion import names  # noqa: PLC0415 - as above

    return _asked(lambda read: names(read, TENANT, incomplete))


def complete_process(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell: processes at the path that was typed before."""
    from controller.actions.completion import parts  # noqa: PLC0415 - as above

    return _asked(lambda read: parts(read, str(context.params.get("path") or ""), incomplete))


def complete_scale(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell: the same, each with the sign that its number follows."""
    return [f"{name}=" for name in complete_process(context, incomplete)]


Kind = Annotated[
    str,
    typer.Argument(
        help="Its kind, such as env; KIND/PATH in one word works, too.", metavar="KIND", autocompletion=complete
    ),
]
KindOrAll = Annotated[
    str,
    typer.Argument(
        help=f"{listed()}, or all; KIND/PATH in one word works, too.", metavar="KIND", autocompletion=complete_or_all
    ),
]
One = Annotated[
    str,
    typer.Argument(
        help="Environment: acme/shop/production, or acme/shop where the app has no other.",
        metavar="PATH",
        autocompletion=complete_place,
    ),
]
OrganizationFilter = Annotated[
    list[str] | None,
    typer.Option(
        "--organization",
        "-n",
        help="Only of this organization; may be repeated.",
        metavar="NAME",
        autocompletion=complete_tenant,
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever reads the releases.", metavar="TEXT")]
Commit = Annotated[str, typer.Option("--commit", help="Commit of the files; releases say it.", metavar="SHA")]
Named = Annotated[
    str | None,
    typer.Argument(help="Path of names, such as acme/shop/production.", metavar="PATH", autocompletion=complete_path),
]
Files = Annotated[
    list[str] | None,
    typer.Option(
        "--file", "-f", help="A YAML file, a folder of them, or - for standard input; may be repeated.", metavar="FILE"
    ),
]
MoreFiles = Annotated[
    list[str] | None, typer.Argument(help="The same, without -f.", metavar="FILE", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Wait until it is done, and show the progress.")]
Timeout = Annotated[str, typer.Option(help="Timeout of --wait, such as 90s or 5m.", metavar="DURATION")]

Prune = Annotated[
    str,
    typer.Option(
        "--prune", help="Delete what is below this path and in none of the files; what a source declares stays.",
        metavar="PATH",
    ),
]  # fmt: skip
AgeKey = Annotated[
    str | None,
    typer.Option(
        "--age-key", help="File with age identities that files encrypted by SOPS are opened with.", metavar="FILE"
    ),
]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--value", help="What ${NAME} in the files stands for, as of a source; may be repeated.", metavar="NAME=VALUE"
    ),
]
_LARGEST_KEY_FILE = 65536
_named_files: list[Path] = []


def env_files() -> list[Path]:
    """Files that settings come from: what ``--env-file`` names, else the installation's, if it may be read."""
    installed = None if _named_files else installed_file()
    return [*_named_files, *([installed] if installed else [])]


def files_of_api() -> list[Path]:
    """The same, with the installation's file for the HTTP API."""
    own = None if _named_files else installed_file(API)
    return [*env_files(), *([own] if own else [])]


def settings_of_api() -> Settings:
    """The settings with what the installation has for the HTTP API; raises as ``settings``."""
    from controller.settings import Settings  # noqa: PLC0415 - many commands need the database's address alone

    return read(Settings, sources(files_of_api()))


def settings() -> Settings:
    """The settings of this process's environment, and of ``env_files``.

    Raises:
        pydantic.ValidationError: one is wrong.
    """
    from controller.settings import Settings  # noqa: PLC0415 - as above

    return read(Settings, sources(env_files()))


def of_kinds() -> dict[str, BaseModel]:
    """Settings that kinds have of their own, from the same places.

    Raises:
        pydantic.ValidationError: one is wrong.
    """
    return settings_sources.of_kinds(sources(env_files()))


def use_env_file(path: Path) -> None:
    """Take what the environment does not say from ``path``.

    Raises:
        ActionError: it cannot be read.
    """
    if path.is_dir() or not os.access(path, os.R_OK):
        raise ActionError(f"--env-file: {path} is not a readable file", "name one with lines of NAME=value")
    _named_files.append(path)


def chosen_context() -> Context | None:
    """The installation that is meant by name or by an address; None: the database of the settings.

    Raises:
        ActionError: there is none of that name.
    """
    return target.context(settings_named=bool(_named_files))


@contextmanager
def backend(
    *, declares: bool = False, tells: bool = False, tries: bool = False, why: str = "", commit: str = ""
) -> Iterator[Backend]:
    """What is asked: the API of a context, or the database; what is given is as ``database`` has it.

    Raises:
        ActionError: as there; or nobody is logged in.
    """
    found = chosen_context()
    if found is None or not found.url:
        from controller.actions.direct import Direct  # noqa: PLC0415 - who asks an API needs none of it

        with database(declares=declares, tells=tells, tries=tries, why=why, commit=commit) as conn:
            yield Direct(conn, settings, of_kinds)
        return
    from controller.remote.backend import Remote  # noqa: PLC0415 - who asks a database needs none of it

    if not found.token:
        raise ActionError(f"there is no token for {found.url}", f"`skypanel login {found.url}`, or set {TOKEN}")
    with target.client_of(found) as client:
        yield Remote(client, why=why, commit=commit)


@contextmanager
def database(
    *,
    as_controller: bool = False,
    declares: bool = False,
    tells: bool = False,
    tries: bool = False,
    why: str = "",
    commit: str = "",
    needs: str = "",
) -> Iterator[psycopg.Connection]:
    """An autocommit connection as the role of DATABASE_URL; raises as ``controller.actions.connection.connected``.

    Args:
        as_controller: with the rights of the controller's role; else with those of people, where the installation
            has a file of theirs.
        declares: something is to be written, which a database that is newer than the program refuses. What is refused
            is on record.
        tries: what is written is taken back, and nothing is refused by that.
        tells: something is to be written that no version takes for something else, such as a pause.
        why: of what is written; a release says it.
        commit: of the files that are written; a release says it.
        needs: group that may do it, where it is another one than usual.

    Raises:
        ActionError: the role may not do what was done with it; the database is newer.
    """
    found = chosen_context()
    target.refuse_api(running.get() or "this", found)
    people = None if _named_files or as_controller else installed_file(PEOPLE)
    url = found.database if found else value_of(DATABASE, sources([*env_files(), *([people] if people else [])]))
    from psycopg import errors  # noqa: PLC0415 - who asks no database starts in two thirds of the time

    from controller.actions.connection import connected, refuse_newer, say_who  # noqa: PLC0415 - as above

    try:
        with connected(url) as conn:
            if declares:
                refuse_newer(conn)
            if tries or not (declares or tells):
                yield conn
                return
            from controller.actions.refusals import recorded  # noqa: PLC0415 - as above

            say_who(conn, why=why, commit=commit)
            with recorded(conn, running.get()):
                yield conn
    except errors.InsufficientPrivilege as error:
        said = (error.diag.message_primary or "").rstrip(".")
        usual = "skypanel_controller" if as_controller else "skypanel_panel, or skypanel_reader to read"
        raise ActionError(
            f"the role of DATABASE_URL may not do this: {said}", f"needs a login of {needs or usual}"
        ) from None


def read_files(
    *given: Sequence[str] | None,
    age_key: str | None = None,
    values: Sequence[str] | None = None,
    closed: bool = False,
) -> SpecFiles:
    """What all files declare that were ``given``, with ``-f`` and without.

    Args:
        given: files, folders, or ``-``.
        age_key: file with age identities that encrypted files are opened with.
        values: what placeholders stand for, as NAME=VALUE.
        closed: without one, look at what is not encrypted in them.

    Raises:
        SpecFilesError: anything is wrong in them.
        ActionError: there are none, or they hold nothing.
    """
    from specs.loader import load_all  # noqa: PLC0415 - who reads no file starts faster without the parser of YAML

    files = [file for some in given for file in some or ()]
    if not files:
        raise ActionError("which files?", "name them with -f; - is standard input")
    opener = None if age_key is None else _identities(age_key).open
    paths = [Path(file) if file != "-" else file for file in files]
    stand = None if not values else dict(map(_value, values))
    found = load_all(paths, stdin=sys.stdin.buffer, opener=opener, closed=closed, values=stand)
    if not found:
        raise ActionError(f"{', '.join(files)}: no resource is declared there")
    return found


def _value(said: str) -> tuple[str, Value]:
    from specs.yaml_text import YamlDocument, read_documents  # noqa: PLC0415 - as above

    name, equals, text = said.partition("=")
    read = next(read_documents(text), None) if text else None
    value = read.data if isinstance(read, YamlDocument) and isinstance(read.data, str | int | float) else text
    if not equals:
        raise ActionError(f"--value {name} has no value", "write --value NAME=VALUE")
    try:
        return next(iter(check_values({name: value}).items()))
    except RefusedError as error:
        raise ActionError(f"--value: {error.message}", error.hint) from None


def _identities(file: str) -> Identities:
    from controller.vault.sops import Identities  # noqa: PLC0415 - only who has encrypted files needs it

    try:
        return Identities(bytes_of(file, most=_LARGEST_KEY_FILE).decode("utf-8", "replace"))
    except RefusedError as error:
        raise ActionError(f"--age-key: {error.message}", error.hint) from None


def bytes_of(source: str, *, most: int = -1) -> bytes:
    """All of a file, or of standard input: ``-``; of one that is larger, the first ``most`` bytes.

    Raises:
        ActionError: it cannot be read.
    """
    try:
        if source == "-":
            return sys.stdin.buffer.read(most)
        with Path(source).open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise ActionError(f"{source} cannot be read: {error.strerror}") from None


def seconds(duration: str) -> float:
    """``90``, ``90s`` or ``5m`` in seconds."""
    try:
        return float(duration) if duration.isdecimal() else parse_duration(duration).total_seconds()
    except RefusedError as error:
        raise ActionError(f"--timeout: {error.message}", error.hint) from None
