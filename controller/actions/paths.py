"""Words for kinds, and paths of names: ``env acme/shop/production``."""

from __future__ import annotations

from controller.actions import habits
from controller.actions.errors import ActionError
from specs.kinds import KINDS, TENANT, ancestors, children, of_tenant, words_of
from specs.problems import closest

ALL = "all"
_WORDS = {word: kind for kind, cls in KINDS.items() for word in words_of(cls)}


def kind_of(word: str) -> str:
    """The kind that ``word`` names, in any case, singular, plural or short.

    Raises:
        ActionError: it names none.
    """
    if word.lower() not in _WORDS:
        raise ActionError(
            f"{word!r} is not a kind", habits.of_kind(word) or closest(word, [cls.word() for cls in KINDS.values()])
        )
    return _WORDS[word.lower()]


def apart(word: str, name: str | None) -> tuple[str, str | None]:
    """Kind and path as they were given: ``env acme/shop/production`` or ``env/acme/shop/production``.

    Raises:
        ActionError: a path alone, without a kind.
    """
    if name is not None or "/" not in word:
        return word, name
    first, _, rest = word.partition("/")
    if first.lower() in _WORDS:
        return first, rest
    kinds = [cls.word() for kind, cls in KINDS.items() if depth(kind) == word.strip("/").count("/") + 1]
    raise ActionError(
        f"{word!r} is a path, and which kind is not said",
        " or ".join(f"{kind} {word}" for kind in kinds) or f"the kinds are {listed()}",
    )


def one(word: str, name: str | None) -> tuple[str, tuple[str, ...]]:
    """Kind and whole path of exactly one object, given as for ``apart``.

    Raises:
        ActionError: it is not one.
    """
    word, name = apart(word, name)
    kind = kind_of(word)
    if not name:
        raise ActionError(
            f"which {KINDS[kind].word()}?", f"write {form(kind)}; `skypanel get {kind.lower()}` lists them"
        )
    return kind, full_path(kind, name)


def complete(incomplete: str) -> list[str]:
    """For the shell: kinds that begin so."""
    return [cls.word() for cls in KINDS.values() if cls.word().startswith(incomplete.lower())]


def complete_or_all(incomplete: str) -> list[str]:
    """The same, where all kinds at once may be meant."""
    return [*complete(incomplete), *([ALL] if ALL.startswith(incomplete.lower()) else [])]


def listed() -> str:
    """All kinds in one line, those of tenants first."""
    words = [KINDS[kind].word() for kind in sorted(KINDS, key=of_tenant, reverse=True)]
    return f"{', '.join(words[:-1])} or {words[-1]}"


def looked_after(kind: str) -> str:
    """The kind whose reconciler looks after ``kind``: its own, its owner's, its children's, else the tenants'."""
    near = [kind, *reversed(ancestors(kind))] if KINDS[kind].facts.part else [kind, *children(kind)]
    return next((found for found in near if KINDS[found].facts.reconciled), TENANT)


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
        return f"its {KINDS[kind].facts.named}"
    return "/".join([*(owner.upper() for owner in ancestors(kind)), kind.upper()])


def a(kind: str) -> str:
    """``an environment``, ``a domain``."""
    return f"{'an' if kind[0] in 'AEIO' else 'a'} {KINDS[kind].word()}"
