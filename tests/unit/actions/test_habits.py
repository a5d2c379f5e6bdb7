"""Words of other tools are answered by what does the same here."""

from __future__ import annotations

import re

import pytest

from controller.actions import habits
from controller.actions.errors import ActionError
from controller.actions.paths import apart, kind_of, one
from controller.cli.commands import commands
from specs.kinds import KINDS


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (["logs", "web"], "docker service logs"),
        (["ps:scale", "web=2"], "skypanel scale PATH"),
        (["rollout", "undo", "env"], "skypanel rollback PATH"),
        (["rollout", "status"], "skypanel watch"),
        (["set", "image", "x"], "skypanel deploy PATH IMAGE"),
        (["git:from-image", "shop", "x"], "skypanel deploy PATH IMAGE"),
        (["service", "scale", "web=2"], "skypanel scale PATH"),
        (["apps:open"], "skypanel open PATH"),
        (["undelete", "env"], "skypanel restore KIND PATH"),
    ],
)
def test_a_command_of_another_tool_is_answered_by_what_does_the_same(given: list[str], answer: str) -> None:
    assert answer in str(habits.of_command(given))


def test_what_nobody_has_is_no_habit() -> None:
    assert habits.of_command(["frobnicate"]) is None
    assert habits.of_command([]) is None


def test_an_answer_names_commands_kinds_and_options_that_exist() -> None:
    answers, kinds = habits.known()
    for said in (*answers.values(), *kinds.values()):
        for command, kind in re.findall(r"skypanel (?:--\S+ FILE )?([a-z]+)(?: ([a-z]+))?", said):
            assert command in commands(), said
            if command in ("get", "describe", "delete") and kind:
                assert kind in ("all", *(word for cls in KINDS.values() for word in (cls.word(), cls.plural()))), said


def test_no_habit_hides_a_command_or_a_kind() -> None:
    answers, kinds = habits.known()
    assert not set(answers) & set(commands())
    for word in kinds:
        with pytest.raises(ActionError):
            kind_of(word)


@pytest.mark.parametrize(("word", "hint"), [("pods", "describe environment"), ("Secrets", "skypanel config")])
def test_a_kind_of_another_tool_is_answered_by_the_one_here(word: str, hint: str) -> None:
    with pytest.raises(ActionError) as refused:
        kind_of(word)
    assert hint in refused.value.hint


def test_kind_and_path_may_be_one_word() -> None:
    assert apart("env/acme/shop/production", None) == ("env", "acme/shop/production")
    assert apart("domain/shop.example.com", None) == ("domain", "shop.example.com")
    assert apart("env", "acme/shop") == ("env", "acme/shop")
    assert one("env/acme/shop/production", None) == ("Environment", ("acme", "shop", "production"))


def test_a_path_without_a_kind_is_asked_which_one() -> None:
    with pytest.raises(ActionError, match="which kind is not said") as refused:
        apart("acme/shop/production", None)
    assert "environment acme/shop/production" in refused.value.hint


def test_a_kind_without_a_path_is_asked_which_one() -> None:
    with pytest.raises(ActionError, match="which environment") as refused:
        one("env", None)
    assert "ORGANIZATION/APP/ENVIRONMENT" in refused.value.hint
