"""The walk of one changed row is as the page on architecture shows it, and no longer than it may be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.sim.walk import Walk, of_a_changed_row

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
MOST = 22
Pairs = set[tuple[str, str]]


@pytest.fixture(scope="module")
def walk() -> Walk:
    return of_a_changed_row()


@pytest.fixture(scope="module")
def shown() -> tuple[Pairs, Pairs, set[str]]:
    """The crossings, the questions, and the modules beside the walk."""
    page = PAGE.read_text(encoding="utf-8").partition("## The walk of one changed row")[2].partition("\n## ")[0]
    walk, _, beside = page.partition("\nBeside it")
    crossings, questions = (
        set(re.findall(r"^\| `([a-z_/]+)` \| `([a-z_/]+)` \|", table, re.MULTILINE))
        for table in walk.partition("| Crossing |")[2].split("| Question |")
    )
    return crossings, questions, set(re.findall(r"`([a-z_/]+)`", beside))


def short(modules: Iterable[str]) -> set[str]:
    return {each.removeprefix("controller/") for each in modules}


def within(pairs: Pairs, modules: set[str]) -> Pairs:
    found = {(a.removeprefix("controller/"), b.removeprefix("controller/")) for a, b in pairs}
    return {pair for pair in found if modules.issuperset(pair)}


def test_the_page_shows_every_crossing_and_every_question(walk: Walk, shown: tuple[Pairs, Pairs, set[str]]) -> None:
    crossings, questions, _ = shown
    modules = {each for pair in crossings | questions for each in pair}
    acts = within(walk.acts, modules)
    assert acts == crossings
    assert within(walk.asks, modules) - acts == questions


def test_whatever_is_called_on_the_way_is_on_the_page(walk: Walk, shown: tuple[Pairs, Pairs, set[str]]) -> None:
    crossings, questions, beside = shown
    modules = {each for pair in crossings | questions for each in pair}
    assert not modules & beside
    assert short(walk.modules) == modules | beside


def test_nothing_leaves_the_process_through_what_is_beside_the_walk(
    walk: Walk, shown: tuple[Pairs, Pairs, set[str]]
) -> None:
    crossings, _, _ = shown
    assert short(walk.leaves) <= {each for pair in crossings for each in pair}


def test_the_walk_is_no_longer_than_it_may_be(shown: tuple[Pairs, Pairs, set[str]]) -> None:
    crossings, questions, _ = shown
    assert len({each for pair in crossings | questions for each in pair}) <= MOST
    assert len(crossings) <= MOST
