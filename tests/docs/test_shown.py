"""What a page shows is compared with what was printed: line by line, but for what no two runs have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import Block
from tests.docs.session import answer, follow
from tests.docs.shown import difference

PRINTED = """\
Rows
  ~ process acme/shop/web: replicas: 2 -> 3
Swarm
  ~ service acme-shop_0123456789: Replicas: 2 -> 3
2 would change, after 12 ms
"""


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        (PRINTED, None),
        ("Rows\n...\n2 would change, after 7.5 ms\n", None),
        ("Swarm\n", "Swarm"),  # not where it begins
        ("...\nSwarm\n  ~ service acme-shop_abcdefabcd: Replicas: 2 -> 3\n", None),
        (
            "...\nSwarm\n  ~ service acme-shop_abcdefabcd: Replicas: 2 -> 4\n",
            "~ service acme-shop_abcdefabcd: Replicas: 2 -> 4",
        ),
        ("...\nSwarm\n...\nRows\n", "Rows"),  # in another order
        ("", None),
    ],
)
def test_the_first_line_that_was_not_printed_is_named(shown: str, missing: str | None) -> None:
    assert difference(shown, PRINTED) == missing


def console(text: str) -> Block:
    return Block("a.md", 1, "", "console", text)


def test_an_answer_ends_with_the_next_command() -> None:
    block = console("$ a\n1\n2\n$ b\n$ c\n3\n")
    assert [answer(block, command) for command in block.commands()] == ["1\n2\n", "", "3\n"]


def test_a_page_is_followed_in_one_shell_and_its_answers_compared(tmp_path: Path) -> None:
    page = [Block("a.md", 1, "", "sh", "word=web  # a comment\n"), console("$ echo $word:8080\nweb:8080\n")]
    assert "web:9090" in follow(page, tmp_path, instead={"8080": "9090"})


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        (console("$ echo yes\nno\n"), "the page shows\nno"),
        (console("$ false\n"), "a.md:1: false: ended with 1"),
        (console("$ exit 0\n$ echo more\n"), "the shell ended at `exit 0`"),
    ],
)
def test_a_page_that_is_not_true_is_named_with_its_place(page: Block, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=complaint.replace("`", ".")):
        follow([page], tmp_path)
