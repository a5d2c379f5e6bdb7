"""docs/coming-from.md: what it says that somebody types here is taken as it stands."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from controller.cli.application import loaded
from controller.cli.commands import commands
from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
TYPED = sorted({span for span in re.findall(r"`(skypanel [^`]+)`", PAGE) if span.split()[1] in commands()})


def test_the_page_says_what_is_typed() -> None:
    assert len(TYPED) > 25
    others = {span.split()[1] for span in re.findall(r"`(skypanel [^`]+)`", PAGE)} - commands().keys()
    assert others == {"ps:scale"}, "a command that is not there"


@pytest.mark.parametrize("line", TYPED)
def test_what_is_typed_here_is_a_command_with_its_options(line: str) -> None:
    _, name, *words = shlex.split(line)
    command, above = loaded(name), None
    while hasattr(command, "commands") and words and words[0] in command.commands:
        above = command.make_context(name, list(words), parent=above)
        name, *words = words
        command = command.commands[name]
    given: dict[str, Any] = command.make_context(name, words, parent=above).params
    assert given
