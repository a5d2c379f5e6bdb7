"""The rules of conditions: each is noticed when it is broken, and what the reconcilers say breaks none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcilers.conditions import Condition, ConditionStatus, Status, check, progressing, ready, stalled


def one(type_: str, status: ConditionStatus = "True", reason: str = "Why", message: str = "because") -> Condition:
    return Condition(type_, status, reason, message)


@pytest.mark.parametrize(
    ("conditions", "rule"),
    [
        ([], "Ready is missing"),
        ([one("Stalled")], "Ready is missing"),
        ([one("Ready", "False"), one("Ready", "True")], "a condition type appears twice"),
        ([one("Ready"), one("Reconciling")], "Ready=True beside Reconciling or Stalled"),
        ([one("Ready"), one("Stalled")], "Ready=True beside Reconciling or Stalled"),
        ([one("Ready", "False"), one("Reconciling"), one("Stalled")], "Reconciling and Stalled at once"),
        ([one("Ready", "False"), one("Reconciling", "False")], "Reconciling is present but not True"),
        ([one("Ready", "False"), one("Stalled", "Unknown")], "Stalled is present but not True"),
        ([one("Ready", reason="")], "Ready has no reason or no message"),
        ([one("Ready", message="")], "Ready has no reason or no message"),
    ],
)
def test_a_broken_rule_is_named(conditions: list[Condition], rule: str) -> None:
    assert rule in check(conditions, generation=3, observed_generation=3)


def test_ready_is_illegal_for_an_older_generation() -> None:
    assert check(ready("Deployed", "runs"), generation=3, observed_generation=2) == [
        "Ready=True for an older generation"
    ]


def test_not_ready_may_speak_of_an_older_generation() -> None:
    assert check(progressing("RollingOut", "1/2 run"), generation=3, observed_generation=2) == []


def test_a_generation_that_is_not_there_yet_cannot_be_observed() -> None:
    broken = check(stalled("InvalidSpec", "port"), generation=3, observed_generation=4)
    assert broken == ["observed_generation is ahead of generation"]


word = st.text(min_size=1)


@given(st.sampled_from([ready, progressing, stalled]), word, word, st.integers(1))
def test_what_can_be_said_breaks_no_rule(say: object, reason: str, message: str, generation: int) -> None:
    assert callable(say)
    conditions = say(reason, message)
    assert check(conditions, generation=generation, observed_generation=generation) == []
    status = Status("environment", "id", None, generation, conditions, {})
    assert (status.ready.status == "True") == (say is ready)
    assert {(c.reason, c.message) for c in conditions} == {(reason, message)}
