"""What `pause` and `resume` refuse before they ask the database."""

from __future__ import annotations

import pytest

from controller.cli import main


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["environment"],
        ["environment", "acme/shop/production", "--all"],
        ["--all", "--organization", "acme"],
        ["environment", "acme/shop/production", "-n", "acme"],
        ["environment/acme/shop/production", "--all"],
    ],
)
@pytest.mark.parametrize("command", ["pause", "resume"])
def test_one_place_must_be_named_and_no_more(
    command: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *words]) == 1
    assert "name one target" in " ".join(capsys.readouterr().err.split())
