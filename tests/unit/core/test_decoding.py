"""Documents that no program wants: what can be read is read, what cannot is named, and nothing is raised."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.postgres.decoding import DEEPEST, LARGEST_DOCUMENT, read

HUGE = "1" + "0" * 400
DEEP = "[" * 1100 + "]" * 1100


@pytest.mark.parametrize(
    ("text", "known", "said"),
    [
        (
            f'{{"id": "x", "ports": {DEEP}, "cmd": null}}',
            {"id": "x", "cmd": None},
            "ports: cannot be read: it has more",
        ),
        (
            f'{{"suspended": true, "healthcheck": {{"command": ["x"], "interval_seconds": {HUGE}}}}}',
            {"suspended": True},
            "healthcheck.interval_seconds: cannot be read: a number in it is too large",
        ),
        (
            f'{{"processes": [{{"type": "web"}}, {{"id": "1", "type": "a\\"{{b", "healthcheck": {{"x": -{HUGE}}}}}]}}',
            {},
            'processes[a"{b].healthcheck.x: cannot be read: a number in it is too large',
        ),
        (f'{{"volumes": [1, {HUGE}], "ports": {HUGE}}}', {}, "ports: cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named_and_the_rest_is_there(text: str, known: dict[str, Any], said: str) -> None:
    document, problem = read(text, {})
    assert document == known
    assert problem is not None
    assert said in str(problem)


def test_what_was_left_out_is_named_with_its_size() -> None:
    document, problem = read('{"id": "x"}', {"cmd": 30_000_020})
    assert document == {"id": "x"}
    assert str(problem) == f"cmd: is too large (30,000,020 bytes) (a whole row has {LARGEST_DOCUMENT:,} at most)"


def test_whole_numbers_beyond_64_bits_and_escapes_are_read() -> None:
    document, problem = read(r'{"a": 1000000000000000000000000, "b": "\\\"]}{[", "c": "é\t", "d": [], "e": {}}', {})
    assert problem is None
    assert document == {"a": 1e24, "b": '\\"]}{[', "c": "é\t", "d": [], "e": {}}


def test_no_more_levels_are_read_than_everything_behind_can_go_through() -> None:
    levels = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
    assert read(f'{{"a": {levels}}}', {})[1] is None
    assert read(f'{{"a": [[{levels}]]}}', {})[1] is not None


POISON = st.sampled_from([HUGE, f"-{HUGE}", DEEP, "[" * 99 + f'{{"x": {HUGE}}}' + "]" * 99])
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps(value, ensure_ascii=False))
MIXED = st.recursive(
    PLAIN | POISON,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda texts: f"[{', '.join(texts)}]")
        | st.lists(st.tuples(st.text().map(json.dumps), inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{name}: {text}" for name, text in pairs) + "}"
        )
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), MIXED, max_size=6), st.dictionaries(st.text(), PLAIN, max_size=3))
def test_whatever_a_row_holds_nothing_is_raised_and_what_is_sound_is_read(
    members: dict[str, str], sound: dict[str, str]
) -> None:
    everything = members | sound
    text = "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in everything.items()) + "}"
    document, problem = read(text, {})
    assert (problem is None) == (document.keys() == everything.keys())
    assert sound.keys() <= document.keys()
