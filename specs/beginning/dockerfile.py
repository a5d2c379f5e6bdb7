"""A Dockerfile, as far as its last stage says how the image runs: a port, and whether it has an entry point."""

from __future__ import annotations

import re
from collections.abc import Iterator

from specs.beginning.found import Found, Note

_PORT = re.compile(r"([0-9]{1,5})(/tcp)?")
_LAST = 65535


def read(text: str, file: str) -> Found:
    """What the last stage says.

    Args:
        text: of the file.
        file: what it is called.
    """
    ports: list[int] = []
    notes: list[Note] = []
    entry_point = False
    for number, word, rest in _instructions(text):
        where = f"{file}:{number}"
        if word == "FROM":
            ports, notes, entry_point = [], [], False
        elif word == "EXPOSE":
            for said in rest.split():
                match = _PORT.fullmatch(said)
                if match and 0 < int(match[1]) <= _LAST:
                    ports.append(int(match[1]))
                else:
                    notes.append(Note(where, f"EXPOSE {said} is no port for TCP", "write spec.port by hand"))
        elif word == "ENTRYPOINT":
            entry_point = True
        elif word == "VOLUME":
            notes.append(Note(where, "there are no volumes yet", "what must last is kept outside"))
    if len(ports) > 1:
        others = ", ".join(map(str, ports[1:]))
        notes.append(Note(file, f"of several ports the first is taken, and not {others}", "a process has one"))
    return Found(port=ports[0] if ports else None, entry_point=entry_point, notes=notes)


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, instruction and what follows; lines that go on are one."""
    begun, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        begun = begun or number
        parts.append(said.removesuffix("\\").strip())
        if said.endswith("\\"):
            continue
        word, _, rest = " ".join(parts).partition(" ")
        yield begun, word.upper(), rest
        begun, parts = 0, []
