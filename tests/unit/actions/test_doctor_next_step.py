"""After each step of the installation doctor names the one that follows, and nothing when all are done."""

from __future__ import annotations

from controller.actions.doctor.findings import Check, fail, ok, warn
from controller.actions.doctor.next_step import STEPS, after

DONE = [
    ok("engine reachable", ""),
    ok("swarm manager", ""),
    ok("database reachable", ""),
    ok("schema", ""),
    ok("edge", ""),
    ok("edge api", ""),
    ok("hosts' firewall", ""),
    ok("leader", ""),
    ok("organizations", "1"),
]


def missing(*wrong: Check) -> str:
    names = {check.name for check in wrong}
    found = after([*(check for check in DONE if check.name not in names), *wrong])
    return found.message if found else ""


def test_each_step_of_the_installation_is_named_by_what_shows_that_it_is_missing() -> None:
    assert missing(fail("engine reachable", "no socket", "")) == "1 Engine: no socket"
    assert missing(fail("engine version", "speaks API 1.41", "")) == "1 Engine: speaks API 1.41"
    assert missing(fail("swarm manager", "it is in no Swarm", "")) == "2 Swarm: it is in no Swarm"
    assert missing(fail("database reachable", "DATABASE_URL is not set", "")) == "7 Controller: DATABASE_URL is not set"
    assert missing(fail("schema", "pending", "")) == "7 Controller: pending"
    assert missing(fail("engine api", "anybody who reaches it", "")) == "3 Hosts: anybody who reaches it"
    assert missing(warn("edge", "no service", "")) == "4 Edge: no service"
    assert missing(warn("edge api", "not set", "")) == "4 Edge: not set"
    assert missing(fail("hosts' firewall", "reaches 10.0.0.1:2377", "")) == "3 Hosts: reaches 10.0.0.1:2377"
    assert missing(warn("leader", "nobody has ever led", "")) == "7 Controller: nobody has ever led"
    assert missing(warn("organizations", "there is none yet", "")) == "8 First app: there is none yet"


def test_the_first_of_what_is_missing_comes_next() -> None:
    wrong = [warn("leader", "nobody", ""), warn("edge", "no service", ""), fail("database reachable", "away", "")]
    assert missing(*wrong) == "4 Edge: no service"
    assert missing(wrong[0], wrong[2]) == "7 Controller: away"


def test_when_all_is_there_nothing_comes_next() -> None:
    assert after(DONE) is None
    assert after([*DONE, warn("userns-remap", "off", "")]) is None


def test_a_firewall_that_cannot_be_checked_yet_is_no_step() -> None:
    assert missing(warn("hosts' firewall", "not checked: there is no task on this node", "")) == ""


def test_the_steps_stand_in_their_order() -> None:
    numbers = [int(step.title[0]) for step in STEPS]
    assert numbers == sorted(numbers)
    assert all(f"step {n}" in check.mend for n, check in ((2, after([fail("swarm manager", "", "")])),) if check)
