"""The page has the table that the program has."""

from __future__ import annotations

from controller.actions.permissions import rows
from controller.cli.auth import lines
from tests.docs.blocks import ROOT


def test_the_page_shows_the_table_of_permissions_as_it_is() -> None:
    page = (ROOT / "docs/access.md").read_text(encoding="utf-8").splitlines()
    start = page.index("| Kind | Role | May |") + 2
    shown = page[start : page.index("", start)]
    assert shown == [f"| {kind} | {role} | {verbs} |" for kind, role, verbs in lines(rows())]
