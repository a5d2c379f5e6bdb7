"""The help of commands, and what the shell completes."""

from __future__ import annotations

import pytest

from controller.actions.paths import complete, complete_or_all
from controller.cli import main
from controller.cli.commands import commands


@pytest.mark.parametrize("command", [*commands(), ""])
def test_help_shows_what_stands_for_a_value_and_no_type(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert not [found for found in ("<bool>", "<str>", "<list", "[[") if found in shown]


def test_the_shell_is_given_kinds_and_all_where_it_may_stand() -> None:
    assert complete("en") == ["environment"]
    assert complete("al") == []
    assert complete_or_all("a") == ["app", "all"]
