"""Follows a page as a reader does who copies and pastes: each command in one shell, each answer compared."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.docs.blocks import ROOT, Block
from tests.docs.shown import difference

TYPED = ("sh", "console")
MARK = "\x1e"
PRELUDE = f'skypanel() {{ {sys.executable} -m controller "$@"; }}\n'
SAYS_BY_ITS_CODE = {"skypanel plan": 2, "skypanel validate": 1}
"""Commands that are not wrong when they end with this: something would change; a file is."""


def follow(
    blocks: Iterable[Block],
    folder: Path,
    *,
    prelude: str = "",
    instead: Mapping[str, str] | None = None,
    seconds: float = 180,
) -> str:
    """What the commands of ``sh`` and ``console`` blocks print, in one shell; fails where a page is not true.

    Args:
        blocks: of a page, in their order; of other languages only their files are taken (``title="NAME"``).
        folder: the shell's working folder.
        prelude: what the shell runs before.
        instead: words of the page that are others here, such as a port.
        seconds: the time for all of it.
    """
    given = [
        (block, command) for block in blocks for command in block.commands() if block.language in {"sh", "console"}
    ]
    script = [PRELUDE, prelude]
    for _, command in given:
        script.append(f"{_replaced(command, instead or {})}\nprintf '{MARK}%s{MARK}' $?\n")
    done = subprocess.run(
        ["bash", "-c", "".join(script)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=bare(),
        timeout=seconds,
    )
    answers = done.stdout.split(MARK)
    printed, codes = answers[0::2], answers[1::2]
    for (block, command), said, code in zip(given, printed, codes, strict=False):
        allowed = next((str(code) for start, code in SAYS_BY_ITS_CODE.items() if command.startswith(start)), "0")
        assert code in {"0", allowed}, f"{block.place}: {command}: ended with {code}:\n{said}"
        if block.language == "console":
            as_shown = _replaced(said, {other: word for word, other in (instead or {}).items()})
            missing = difference(answer(block, command), as_shown)
            assert missing is None, f"{block.place}: {command}: the page shows\n{missing}\nand it printed\n{said}"
    assert len(codes) == len(given), f"the shell ended at `{given[len(codes)][1]}`:\n{printed[-1]}"
    return "".join(printed)


def _replaced(text: str, instead: Mapping[str, str]) -> str:
    for word, other in instead.items():
        text = text.replace(word, other)
    return text


def answer(block: Block, command: str) -> str:
    """What a ``console`` block shows below a command."""
    below = block.text.replace("\\\n", "").partition(f"$ {command}\n")[2]
    return "".join(line for line in _until_next(below.splitlines(keepends=True)))


def _until_next(lines: list[str]) -> list[str]:
    for number, line in enumerate(lines):
        if line.startswith("$ "):
            return lines[:number]
    return lines


def bare() -> dict[str, str]:
    """The environment without what this project's own tests set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SKYPANEL_", "DOCKER_"))}
    return {**kept, "PYTHONPATH": str(ROOT)}
