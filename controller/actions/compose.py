"""Compose files to spec files: reads what they name, from disk and from the environment of whoever asks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from dotenv import dotenv_values

from controller.actions.errors import ActionError
from specs.compose.convert import Result, Wanted, convert
from specs.compose.project import Text, read_project
from specs.loader import STDIN, FileProblem, SpecFilesError, contents
from specs.names import check_slug
from specs.problems import RefusedError

DOTENV = ".env"


def convert_files(files: Sequence[str], wanted: Wanted, stdin: BinaryIO) -> Result:
    """The spec file for ``files``, later ones over earlier ones.

    Raises:
        SpecFilesError: something is wrong in them, or nothing of them can be written.
        ActionError: a name that was asked for is none, or there is no such file.
    """
    for option, name in (("--organization", wanted.organization), ("--environment", wanted.environment)):
        _check_name(option, name)
    if wanted.app:
        _check_name("--app", wanted.app)
    for file in files:
        if Path(file).is_dir():
            raise ActionError(f"{file} is a folder", "name the Compose file in it, such as compose.yaml")
    texts = list(_texts([file if file == STDIN else Path(file) for file in files], stdin))
    return convert(read_project(texts, _another), wanted)


def variables(files: Sequence[str], env_files: Sequence[Path]) -> dict[str, str]:
    """What Compose would fill in: the environment, then ``env_files``, else ``.env`` beside the first file.

    Raises:
        ActionError: one of the files cannot be read.
    """
    beside = Path(files[0]).with_name(DOTENV) if files and files[0] != STDIN and Path(files[0]).name else None
    found: dict[str, str] = {}
    for file in env_files or ([beside] if beside and beside.is_file() else []):
        try:
            values = dotenv_values(file) if file.is_file() else None
        except (OSError, UnicodeDecodeError):
            values = None
        if values is None:
            raise ActionError(f"--env-file: {file} is not a readable file", "name one with lines of NAME=value")
        found |= {name: value for name, value in values.items() if value is not None}
    return found | dict(os.environ)


def _check_name(option: str, name: str) -> None:
    try:
        check_slug(name)
    except RefusedError as error:
        raise ActionError(f"{option}: {error.message}", error.hint) from None


def _another(file: str, named: str) -> Text:
    """The file that ``file`` names, from its own folder."""
    (text,) = _texts([Path(file).parent / named], None)
    return text


def _texts(sources: Sequence[str | Path], stdin: BinaryIO | None) -> list[Text]:
    found: list[Text] = []
    problems: list[FileProblem] = []
    for name, text in contents(sources, stdin):
        if isinstance(text, FileProblem):
            problems.append(text)
        else:
            found.append((name, text))
    if problems:
        raise SpecFilesError(problems)
    return found
