"""Words of other tools (Heroku, Dokku, docker, kubectl, flux), and what does the same here; data in ``habits.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path


def of_command(given: Sequence[str]) -> str | None:
    """What to do instead of a command that is none here: by its first two words, else by the first."""
    words = [word for word in given if not word.startswith("-")]
    answers = _data()["answers"]
    return answers.get(" ".join(words[:2])) or (answers.get(words[0]) if words else None)


def of_kind(word: str) -> str | None:
    """Which kind does what ``word`` is called elsewhere."""
    return _data()["kinds"].get(word.lower())


def known() -> tuple[dict[str, str], dict[str, str]]:
    """All answers, by command and by kind."""
    return _data()["answers"], _data()["kinds"]


@cache
def _data() -> dict[str, dict[str, str]]:
    with Path(__file__).with_suffix(".toml").open("rb") as file:
        return tomllib.load(file)
