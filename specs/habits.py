"""Fields that are called otherwise elsewhere, or do not exist here: what to write instead."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any


def of_field(name: str, fields: Collection[str]) -> str | None:
    """A hint for a field that other tools have; None for one that nobody has.

    Args:
        name: as it was written, in any case, with or without ``_``.
        fields: those that the place has.
    """
    word, habits = _plain(name), known()
    for here in habits["same"].get(word, ()):
        if here in fields:
            return f"did you mean {here}?"
    answer: str | None = habits["answers"].get(word)
    return answer


@cache
def known() -> dict[str, dict[str, Any]]:
    """``same``: fields by what they are called elsewhere; ``answers``: hints by field."""
    with Path(__file__).with_suffix(".toml").open("rb") as file:
        return {
            part: {_plain(word): said for word, said in words.items()} for part, words in tomllib.load(file).items()
        }


def _plain(word: str) -> str:
    return word.replace("_", "").lower()
