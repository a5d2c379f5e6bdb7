"""Are the programs on this machine that declared sources need: git, and who verifies signatures."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import psycopg
from psycopg import sql

from controller.actions.connection import connected
from controller.actions.doctor.findings import Check, fail, ok
from controller.actions.errors import ActionError
from controller.postgres.statements import statement
from controller.settings import Settings
from specs.kinds import KINDS, SOURCE
from specs.sources import OLDEST_GIT

_SECONDS = 5.0
_HERE = "it is asked for on this machine, where the controller has to run"


def examine(settings: Settings) -> Iterator[Check]:
    """What sources need; nothing where there are none, and where the database cannot say."""
    try:
        with connected(settings.database_url.get_secret_value()) as conn:
            yield from checks(conn)
    except (ActionError, psycopg.Error):  # the database's own check says so
        return


def checks(conn: psycopg.Connection) -> Iterator[Check]:
    """A check for each program that some source needs."""
    table = sql.Identifier("public", KINDS[SOURCE].binding.table)
    row = conn.execute(sql.SQL(statement("declared/sources/needs")).format(table=table)).fetchone()
    repositories, by_ssh, by_openpgp, over_ssh = row or (0, 0, 0, 0)
    if repositories:
        yield git_check(repositories)
    if over_ssh:
        yield _found("ssh", over_ssh, "are reached over SSH", "install it: they cannot be fetched")
    for program, count in (("ssh-keygen", by_ssh), ("gpg", by_openpgp)):
        if count:
            why, mend = "ask for signatures of that sort", "install it: nothing is declared that was not verified"
            yield _found(program, count, why, mend)


def git_check(count: int) -> Check:
    """Whether there is a git that sources can be fetched with."""
    least = ".".join(map(str, OLDEST_GIT))
    try:
        said = subprocess.run(["git", "--version"], capture_output=True, timeout=_SECONDS, check=True).stdout.decode()
        words = said.split()
        found = tuple(int(part) for part in words[2].split(".")[:2])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return fail("git", f"there is none, for {count} source(s)", f"install git {least} or newer; {_HERE}")
    if found < OLDEST_GIT:
        return fail("git", f"{words[2]} is too old, for {count} source(s)", f"install git {least} or newer; {_HERE}")
    return ok("git", f"{words[2]}, for {count} source(s)")


def _found(program: str, count: int, why: str, mend: str) -> Check:
    if shutil.which(program) is None:
        return fail(program, f"there is none, and {count} source(s) {why}", f"{mend}; {_HERE}")
    return ok(program, f"there is one, for {count} source(s)")
