"""Which events are meant, in words."""

from __future__ import annotations

from controller.actions.paths import apart, kind_of, path_of
from specs.kinds import KINDS, words_of

_WORDS = {word for cls in KINDS.values() for word in words_of(cls)}


def asked(word: str | None) -> tuple[str | None, str | None]:
    """Kind and path that events are asked of: ``acme/shop``, ``env/acme/shop/production``, or nothing at all.

    Raises:
        ActionError: it is no path.
    """
    if not word:
        return None, None
    if word.partition("/")[0].lower() not in _WORDS:
        return None, word.strip("/")
    kind, path = apart(word, None)
    found = kind_of(kind)
    return KINDS[found].word(), "/".join(path_of(found, path)) or None
