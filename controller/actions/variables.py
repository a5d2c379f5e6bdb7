"""Config vars in words: where they can be set, what a file of them says, and how they are listed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING
from uuid import UUID

from controller.actions.errors import ActionError
from controller.actions.paths import form
from specs.kinds import LAYERS, ancestors
from specs.problems import RefusedError

if TYPE_CHECKING:
    from controller.declared.config_vars import Variable
    from controller.declared.sealing import Owner

CONFIG = "config"
"""What variables are called in documents, beside names of kinds."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A value that is to be set.

    Args:
        as_file: None: as it is, and a new one as a variable.
        place: where it came from, ``file:line``; for messages.
    """

    name: str
    value: bytes = field(repr=False)
    as_file: bool | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one; ``version`` is None where it was unset."""

    name: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where variables are set.

    Args:
        owners: itself, after all that is above it.
        words: kind and path of each.
        there: kind and id of itself, where only that is known.
    """

    owners: tuple[Owner, ...]
    words: tuple[str, ...]
    there: tuple[str, UUID] | None = None

    @property
    def key(self) -> tuple[str, UUID]:
        """As in the status tables."""
        return self.there or (self.owners[-1].layer, UUID(self.owners[-1].id))


def layer_of(path: str) -> tuple[str, tuple[str, ...]]:
    """Kind and names of what variables are set for at ``path``.

    Raises:
        ActionError: none can be.
    """
    names = tuple(path.strip("/").split("/"))
    kind = next((kind for kind in LAYERS if len(ancestors(kind)) + 1 == len(names)), None)
    if kind is None or not all(names):
        ways = ", ".join(form(kind) for kind in LAYERS)
        raise ActionError(f"{path!r} is not a path that variables can be set for", f"write one of {ways}")
    return kind, names


def variable_document(where: Place, found: Variable) -> dict[str, object]:
    """For programs."""
    return {
        "name": found.name,
        "version": found.version,
        "asFile": found.as_file,
        "setFor": where.words[found.owner],
        "effective": found.effective,
        "changedAt": found.changed_at,
        "declaredBy": found.source,
    }


def parse(text: str, source: str) -> list[Assignment]:
    """What a file of ``NAME=value`` lines sets, as such files are read everywhere; the last of a name counts.

    Args:
        text: its content.
        source: its name.

    Raises:
        ActionError: a line is none; says which, and not what is in it.
    """
    from dotenv.parser import parse_stream  # noqa: PLC0415 - only one command reads such a file

    found: dict[str, Assignment] = {}
    for line in parse_stream(StringIO(text)):
        at = f"{source}:{line.original.line}"
        if line.error or (line.key is not None and line.value is None):
            raise ActionError(f"{at}: this is not NAME=value", "quote a value of several lines, or set it by itself")
        if line.key is not None and line.value is not None:
            found[line.key] = Assignment(line.key, line.value.encode(), place=at)
    return list(found.values())


@contextmanager
def refusals(place: str = "") -> Iterator[None]:
    """Refusals of names and values, as a command says them; with where they came from."""
    try:
        yield
    except RefusedError as error:
        raise ActionError(": ".join(filter(None, (place, error.message))), error.hint) from None
