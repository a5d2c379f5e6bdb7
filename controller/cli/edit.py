"""``edit``: one object in an editor: what it would change is shown, and then declared."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from controller.actions.edit import Editable, is_same, read
from controller.actions.errors import ActionError
from controller.cli.errors import ExitCode, readable
from controller.cli.formats import Format
from controller.cli.inputs import Kind, Named, Reason, Timeout, Wait, backend, seconds
from controller.cli.output import complain, note, say, says_yes, warn
from controller.cli.planned import show_plan
from controller.cli.progress import shown
from controller.cli.shown import show_written
from controller.declared.written import Written
from specs.loader import Files, Located, SpecFilesError

_EDITORS = ("sensible-editor", "editor", "nano", "vim", "vi")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="edit")(edit)


def edit(
    kind: Kind,
    name: Named = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it is declared.")] = False,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = "5m",
) -> None:
    """Open one declared object in an editor, show what its new text would change, and declare it.

    The editor is that of VISUAL or EDITOR. What is wrong is said, and may be mended; nothing is declared that somebody
    else has changed meanwhile. What was typed is kept in a file whenever it is not declared.

    **Examples**

        skypanel edit env acme/shop/production
        EDITOR="code --wait" skypanel edit process acme/shop/production/web --wait
    """
    limit = seconds(timeout)
    with backend() as there:
        before = there.begin_edit(kind, name)
    folder = Path(tempfile.mkdtemp(prefix="skypanel-edit-"))
    file = folder / f"{before.object.path[-1].replace(os.sep, '_')}.yaml"
    file.write_text(before.text, encoding="utf-8")
    try:
        entries = _typed(before, file)
        written = [] if entries is None else _declare(before, entries, reason=reason, yes=yes)
    except BaseException:
        if is_same(before, _text(file)):
            shutil.rmtree(folder)
        else:
            note(f"what was typed is in {file}")
        raise
    shutil.rmtree(folder)
    if not written:
        say("nothing was changed")
        return
    show_written(written, Format.TABLE)
    if wait:
        with backend() as there, shown(Format.TABLE) as show_progress:
            there.wait(written, limit, show_progress)


def _typed(before: Editable, file: Path) -> list[Located] | None:
    """What an editor made of it, as often as it is wrong and somebody wants to mend it; None: nothing."""
    while True:
        _run_editor(file)
        if is_same(before, _text(file)):
            return None
        try:
            return read(before, file)
        except (ActionError, SpecFilesError) as error:
            if not sys.stdin.isatty():
                raise
            complain(readable(str(error).splitlines()))
            if not says_yes("Edit it again?"):
                raise typer.Exit(ExitCode.ERROR) from None


def _text(file: Path) -> str:
    """What is in it, whatever its bytes are: ``read`` says what is wrong; nothing where an editor has removed it."""
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _declare(before: Editable, entries: list[Located], *, reason: str, yes: bool) -> list[Written]:
    """What was written; nothing where it says the same."""
    with backend(declares=True, tries=True) as there:
        there.refuse_changed(before)
        ahead = there.preview(Files(entries))
    if not any(each.changed for each in ahead.rows):
        return []
    show_plan(ahead, Format.TABLE)
    if not yes and sys.stdin.isatty() and not says_yes("Declare it?"):
        say("nothing was declared")
        raise typer.Exit(ExitCode.ERROR)
    with backend(declares=True, why=reason) as there:
        done = there.edited(before, entries)
        for said in done.warnings:
            warn(said)
        return done.written


def _run_editor(file: Path) -> None:
    """Have it edited.

    Raises:
        ActionError: there is no editor, or it failed.
    """
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        words = shlex.split(named) or [next((each for each in _EDITORS if shutil.which(each)), "")]
    except ValueError as error:
        raise ActionError(f"the editor {named!r} cannot be read: {error}", "set EDITOR, such as EDITOR=nano") from None
    if not words[0] or shutil.which(words[0]) is None:
        what = f"the editor {words[0]} is not there" if named else "no editor is named"
        raise ActionError(what, "set EDITOR, such as EDITOR=nano")
    try:
        ended = subprocess.run([*words, str(file)], check=False).returncode
    except OSError as error:
        raise ActionError(f"the editor {words[0]} cannot be run: {error.strerror}", "nothing was declared") from None
    if ended:
        raise ActionError(f"the editor {words[0]} ended with code {ended}", "nothing was declared")
