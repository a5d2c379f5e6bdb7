"""How the controller is, over the API: told to the platform alone, and its fuse confirmed as it was read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from controller.access.caller import Caller, Scope
from controller.access.permissions import PLATFORM, may
from controller.access.roles import Role, Verb
from tests.store.api.conftest import HERE, ONLY, World
from tests.store.api.test_objects import problem

AT = "/api/admin/controller"


def holds_back(world: World, kind: str = "environment", **counts: int) -> str:
    """A removal that waits, as the controller writes it; its owner."""
    id_ = uuid4() if kind == "organization" else world.acme.environment
    world.database.execute(
        "INSERT INTO skypanel.fuse_losses (owner_kind, owner_id, why, objects, processes, hosts)"
        " VALUES (%s, %s, 'absent', %s, %s, %s)",
        kind, id_, counts.get("objects", 0), counts.get("processes", 0), counts.get("hosts", 0),
        role="controller",
    )  # fmt: skip
    return f"{kind}/{id_}"


def test_it_says_who_leads_what_waits_what_is_held_back_and_what_is_paused(own_world: World) -> None:
    world, database = own_world, own_world.database
    database.execute(
        "INSERT INTO skypanel.lease (name, holder, epoch, expires_at) VALUES ('x', 'me', 7, now() + '10 s')",
        role="controller",
    )
    database.execute(
        "INSERT INTO skypanel.fuse (id, tripped_at, live_count) VALUES (true, now(), 40)"
        " ON CONFLICT (id) DO UPDATE SET tripped_at = now(), live_count = 40",
        role="controller",
    )
    owner = holds_back(world, processes=2)
    assert world.ask("POST", f"{HERE}/pause", json={"reason": "a leak"}).status_code == 200
    said = world.ask("GET", AT, "platform").json()
    assert (said["leader"]["holder"], said["leader"]["epoch"], said["leader"]["alive"]) == ("me", 7, True)
    assert said["leader"]["since"]
    assert said["queue"]["changes"] > 0
    assert said["queue"]["oldestAt"]
    assert said["queue"]["behind"] >= 2
    assert said["fuse"]["heldSince"]
    assert said["fuse"]["live"] == 40
    (waits,) = said["fuse"]["waiting"]
    assert (waits["owner"], waits["path"], waits["loses"]) == (owner, "acme/shop/production", "2 processes stop")
    (pause,) = said["pauses"]
    assert (pause["scope"], pause["path"], pause["reason"]) == ("object", "acme/shop/production", "a leak")


def test_it_says_how_many_there_are_and_how_they_stand_to_the_platform_alone(own_world: World) -> None:
    world, database = own_world, own_world.database
    at = "/api/admin/metrics"
    database.execute("INSERT INTO paas_nodes (name, status) VALUES ('one', 'ready'), ('two', 'down')")
    database.execute(
        "INSERT INTO skypanel.object_status (kind, id, observed_generation, ready, reason, message, epoch, conditions)"
        " VALUES ('environment', %s, 1, false, 'RolledBack', 'x', 1,"
        """ '[{"type": "Stalled", "status": "True"}]')""",
        world.acme.environment,
        role="controller",
    )
    said = world.ask("GET", at, "platform").json()["kinds"]
    assert said["environment"] == {"total": 2, "progressing": 1, "stalled": 1}
    assert said["node"] == {"total": 2, "ready": 1, "down": 1}
    assert said["app"]["total"] == said["organization"]["total"] == 2
    problem(world.ask("GET", at), "forbidden")


def test_what_waits_is_confirmed_as_it_was_read_and_by_whom(own_world: World) -> None:
    world, database = own_world, own_world.database
    owner, other = holds_back(world, processes=2), holds_back(world, "organization", objects=3)
    waits = world.ask("GET", AT, "platform").json()["fuse"]["waiting"]
    assert {each["owner"] for each in waits} == {owner, other}

    dry = world.ask("POST", f"{AT}/confirm?dryRun=true", "platform", json={"owners": waits})
    assert dry.json() == {"changed": True, "rows": []}, dry.text
    database.execute(
        "UPDATE skypanel.fuse_losses SET processes = 3 WHERE owner_kind = 'environment'", role="controller"
    )
    problem(world.ask("POST", f"{AT}/confirm", "platform", json={"owners": waits}), "conflict")
    assert database.one("SELECT count(confirmed_at) FROM skypanel.fuse_losses") == 0

    database.execute("DELETE FROM skypanel.change_log")
    waits = world.ask("GET", AT, "platform").json()["fuse"]["waiting"]
    done = world.ask("POST", f"{AT}/confirm", "platform", json={"owners": waits})
    assert done.json()["written"] == {"confirmed": 2}, done.text
    assert {each["confirmedBy"] for each in done.json()["fuse"]["waiting"]} == {"root@example"}
    log = database.execute("SELECT kind FROM skypanel.change_log ORDER BY seq")
    assert log[0] == ("fuse",)
    assert len(log) == 3, "the controller is woken for each of them"
    audited = database.execute("SELECT DISTINCT actor FROM skypanel.audit WHERE changes ? 'confirmed_by'")
    assert audited == [("root@example",)]
    problem(world.ask("POST", f"{AT}/confirm", "platform", json={"owners": waits}), "conflict")


@pytest.mark.parametrize(
    "sent",
    [
        {},
        [],
        {"owners": []},
        {"owners": ["environment/x"]},
        {"owners": [{"owner": "environment/x"}]},
        {"owners": [{"owner": "environment/x", "objects": True, "processes": 0, "hosts": 0}]},
        {"owners": [{"owner": "environment/x", "objects": -1, "processes": 0, "hosts": 0}]},
        {"owners": [{"owner": 7, "objects": 1, "processes": 0, "hosts": 0}]},
        {"owners": [], "all": True},
    ],
)
def test_what_is_not_what_waits_is_refused(world: World, sent: Any) -> None:
    problem(world.ask("POST", f"{AT}/confirm", "platform", json=sent), "invalid")


def test_nobody_of_an_organization_is_told_and_who_reads_alone_confirms_nothing(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = own_world
    holds_back(world, processes=2)
    for method, address in (("GET", AT), ("POST", f"{AT}/confirm")):
        problem(world.ask(method, address, json={"owners": []} if method == "POST" else None), "forbidden")
    monkeypatch.setitem(ONLY, "reads", {"read"})
    world.tokens.known["reads"] = replace(world.tokens.known["viewer"], role="reads")
    problem(world.ask("GET", AT, "reads"), "forbidden")


@pytest.mark.parametrize("role", list(Role))
def test_the_one_table_says_who_may(role: Role) -> None:
    def somebody(scope: Scope) -> Caller:
        return Caller("x", "token", None, None, "", role, scope)

    everything = somebody(Scope())
    assert may(everything, Verb.READ, PLATFORM) == role.of_platform
    assert may(everything, Verb.ADMIN, PLATFORM) == (role is Role.PLATFORM_ADMIN)
    assert not may(everything, Verb.WRITE, PLATFORM)
    assert not may(everything, Verb.READ, PLATFORM, "acme")
    assert not may(somebody(Scope(verbs=frozenset({Verb.READ}))), Verb.ADMIN, PLATFORM)
    assert not may(somebody(Scope(apps=frozenset({"shop"}))), Verb.ADMIN, PLATFORM)
