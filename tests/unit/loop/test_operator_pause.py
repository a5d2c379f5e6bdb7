"""What is said of a paused object can be typed to resume it."""

from __future__ import annotations

import pytest

from controller.loop.gates.operator_pause import message
from controller.records import Key, Pause

KEY = Key("environment", "4a0e1b1c-0000-4000-8000-000000000001")
DOCUMENT = {"name": "production", "app": {"slug": "shop"}, "organization": {"slug": "acme"}}


@pytest.mark.parametrize(
    ("scope", "document", "command"),
    [
        ("object", DOCUMENT, "skypanel resume environment acme/shop/production"),
        ("organization", DOCUMENT, "skypanel resume --organization acme"),
        ("installation", DOCUMENT, "skypanel resume --all"),
        ("object", {"name": "production"}, "skypanel resume environment PATH"),
        ("organization", None, "skypanel resume --organization NAME"),
    ],
)
def test_the_command_that_ends_it_has_the_names(scope: str, document: dict[str, object] | None, command: str) -> None:
    said = message(KEY, Pause(scope, "a leak", "ada", "2026-10-05T11:14:02.5+02:00"), document)
    assert said.startswith("ada paused ")
    assert " at 2026-10-05 09:14:02 UTC (a leak): nothing is" in said
    assert said.endswith(f"until `{command}`")
