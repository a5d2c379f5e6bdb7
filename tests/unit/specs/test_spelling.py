"""A typing error is told from another word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.spelling import distance, meant

COMMANDS = ("apply", "plan", "get", "describe", "restore", "delete")
words = st.text("abcde", max_size=6)


@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("aply", "apply"),
        ("appyl", "apply"),
        ("Plan", "plan"),
        ("descirbe", "describe"),
        ("gte", "get"),
        ("delte", "delete"),
    ],
)
def test_one_or_two_slips_are_a_typing_error(word: str, command: str) -> None:
    assert meant(word, COMMANDS) == command


@pytest.mark.parametrize("word", ["explain", "create", "edit", "scale", ""])
def test_another_word_is_none(word: str) -> None:
    assert meant(word, COMMANDS) is None


@given(words, words)
def test_the_distance_is_symmetric_and_nothing_between_equal_words(one: str, other: str) -> None:
    assert distance(one, other) == distance(other, one) <= max(len(one), len(other))
    assert (distance(one, other) == 0) == (one == other)
