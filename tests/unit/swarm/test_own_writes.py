"""Echoes of our own writes: each is taken once, soon, and another's event never is."""

from __future__ import annotations

import pytest

from controller.kit import clock
from controller.swarm.own_writes import OwnWrites


@pytest.fixture
def own() -> OwnWrites:
    return OwnWrites()


def test_an_echo_of_our_own_write_is_taken_once(own: OwnWrites) -> None:
    own.wrote("1", "update")
    assert own.is_own_event("1", "update")
    assert not own.is_own_event("1", "update"), "the second is somebody else's"
    assert not own.is_own_event("1", "remove")


def test_two_writes_have_two_echoes(own: OwnWrites) -> None:
    own.wrote("1", "update")
    own.wrote("1", "update")
    assert [own.is_own_event("1", "update") for _ in range(3)] == [True, True, False]


def test_a_write_that_did_not_happen_has_no_echo(own: OwnWrites) -> None:
    own.wrote("name-1", "create")
    own.did_not_write("name-1", "create")
    assert not own.is_own_event("name-1", "create")


def test_a_service_is_new_once(own: OwnWrites) -> None:
    own.made("1")
    assert [own.take_new("1"), own.take_new("1")] == [True, False]


def test_an_event_that_comes_late_is_somebody_else_s(own: OwnWrites, monkeypatch: pytest.MonkeyPatch) -> None:
    own.wrote("1", "update")
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now + 60.0)
    assert not own.is_own_event("1", "update")


def test_what_never_came_is_let_go_of(own: OwnWrites, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(100):
        own.wrote(str(number), "update")
        own.made(str(number))
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now + 600.0)
    own.wrote("another", "update")
    assert (len(own._expected), len(own._new)) == (1, 0)
