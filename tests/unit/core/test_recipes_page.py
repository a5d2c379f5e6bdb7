"""The page of what a container gets shows of each recipe what its file has, and each is a file that `apply` takes."""

from __future__ import annotations

import re
from pathlib import Path

from specs.doubts import doubts
from specs.loader import load

DOCS = Path(__file__).parents[3] / "docs"
RECIPES = sorted((DOCS / "recipes").glob("*.yaml"))


def test_every_recipe_is_valid_and_says_nothing_without_effect() -> None:
    assert list(doubts(load(RECIPES), lambda _resource, _kind: ())) == []


def test_the_page_shows_what_the_files_have() -> None:
    page = (DOCS / "containers.md").read_text().partition("## Common images")[2]
    shown = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    files = {path.name: path.read_text() for path in RECIPES}
    found = [name for block in shown for name, text in files.items() if block in text]
    assert sorted(found) == sorted(files)
