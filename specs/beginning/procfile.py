"""A Procfile: ``type: command``, a line each."""

from __future__ import annotations

import re

from specs.beginning.found import Found, Note
from specs.names import check_process_type
from specs.problems import RefusedError

_LINE = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(\S.*)")


def read(text: str, file: str) -> Found:
    """The processes of a Procfile.

    Args:
        text: of the file.
        file: what it is called.
    """
    processes: dict[str, str] = {}
    notes: list[Note] = []
    for number, line in enumerate(text.splitlines(), 1):
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        match = _LINE.fullmatch(said)
        where = f"{file}:{number}"
        if match is None or not match[2].replace("\t", " ").isprintable():
            notes.append(Note(where, "is no line of a Procfile", "write TYPE: COMMAND"))
            continue
        try:
            check_process_type(match[1].lower())
        except RefusedError as error:
            notes.append(Note(where, f"{match[1]}: {error.message}", error.hint or "choose another name"))
            continue
        processes[match[1].lower()] = match[2]
    return Found(processes=processes, notes=notes)
