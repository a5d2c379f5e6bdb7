"""Words for kinds, and paths of names: ``env acme/shop/production``."""

from __future__ import annotations

from controller.actions.errors import ActionError
from controller.declared.rows import ancestors
from specs.kinds import KINDS
from specs.problems import closest

ALL = "all"
_SHORT = {"org": "Organization", "env": "Environment", "proc": "Process", "ps": "Process", "dom": "Domain"}


def _words() -> dict[str, str]:
    words = dict(_SHORT) | {f"{word}s": kind for word, kind in _SHORT.items() if not word.endswith("s")}
    for kind in KINDS:
        word = kind.lower()
        words |= {word: kind, f"{word}es" if word.endswith("s") else f"{word}s": kind}
    return words


def kind_of(word: str) -> str:
    """The kind that ``word`` names, in any case, singular, plural or short.

    Raises:
        ActionError: it names none.
    """
    words = _words()
    if word.lower() not in words:
        known = [kind.lower() for kind in KINDS]
        raise ActionError(f"{word!r} is not a kind", closest(word, known))
    return words[word.lower()]


def complete(incomplete: str) -> list[str]:
    """For the shell: kinds that begin so."""
    return [kind.lower() for kind in KINDS if kind.lower().startswith(incomplete.lower())]


def path_of(kind: str, name: str | None) -> tuple[str, ...]:
    """The names in ``acme/shop/production``; as many as there are.

    Raises:
        ActionError: there are more names than the kind has owners, or an empty one.
    """
    parts = tuple(name.strip("/").split("/")) if name else ()
    if len(parts) > depth(kind) or (name and not all(parts)):
        raise ActionError(f"{name!r} is not a path of {a(kind)}", f"write {form(kind)}")
    return parts


def full_path(kind: str, name: str) -> tuple[str, ...]:
    """The names of exactly one object.

    Raises:
        ActionError: the path is not whole.
    """
    parts = path_of(kind, name)
    if len(parts) != depth(kind) and not (KINDS[kind].globally_named and len(parts) == 1):
        raise ActionError(f"{name!r} is not the whole path of {a(kind)}", f"write {form(kind)}")
    return parts


def is_full(kind: str, path: tuple[str, ...]) -> bool:
    """Whether ``path`` names one object and not a group of them."""
    lone = KINDS[kind].globally_named and len(path) == 1 and "." in path[0]
    return len(path) == depth(kind) or lone


def depth(kind: str) -> int:
    """How many names a path of ``kind`` has."""
    return len(ancestors(kind)) + 1


def form(kind: str) -> str:
    """How a path of ``kind`` is written."""
    if KINDS[kind].globally_named:
        return "its host name" if kind == "Domain" else "its name"
    return "/".join([*(owner.upper() for owner in ancestors(kind)), kind.upper()])


def a(kind: str) -> str:
    """``an environment``, ``a domain``."""
    return f"{'an' if kind[0] in 'AEIO' else 'a'} {kind.lower()}"
