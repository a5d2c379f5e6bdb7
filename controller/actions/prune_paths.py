"""Paths below which it is pruned; loads no client of a database."""

from __future__ import annotations

from controller.actions.errors import ActionError
from controller.actions.variables import layer_of
from controller.declared.objects import Read
from specs.kinds import KINDS


def pruned_at(path: str) -> tuple[str, tuple[str, ...]]:
    """Kind and names of the object at ``path``, such as ``acme/shop``.

    Raises:
        ActionError: it is no path of what has something below it.
    """
    try:
        return layer_of(path)
    except ActionError as error:
        raise ActionError(f"{path!r} is not a path that has something below it", error.hint) from None


def refuse_absent(read: Read, kind: str, names: tuple[str, ...]) -> None:
    """Have something be there.

    Raises:
        ActionError: nothing is.
    """
    if not [each for each in read(kind, names) if each.deleted_at is None]:
        word = KINDS[kind].word()
        raise ActionError(f"there is no {word} {'/'.join(names)}", f"`skypanel get {word}` lists them")
