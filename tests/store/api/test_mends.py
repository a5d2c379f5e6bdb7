"""The call of a mend: there for who may do it, of the reason that the status gives; and it does it."""

from __future__ import annotations

from typing import Any

import pytest

from controller.api.mends import CALLS
from reconcilers.reasons import reasons
from tests.store.api.conftest import HERE, World
from tests.store.api.test_deeds import DIGEST, release
from tests.store.test_explain import lead, say

WHOLE = "/api/admin/organizations/acme"


def says(world: World, reason: str) -> None:
    """Have a controller that is alive say this of it."""
    lead(world.database)
    say(world.database, "environment", world.acme.environment, reason, "as it is")


def call(world: World, who: str = "owner") -> Any:
    status = world.ask("GET", HERE, who).json()["status"]
    explained = world.ask("GET", f"{HERE}/explain", who).json()
    assert explained["mendCall"] == status["mendCall"]
    return status["mendCall"]


def test_every_call_that_a_reason_names_is_known_and_every_one_is_named() -> None:
    assert {reason.call for reason in reasons() if reason.call} == set(CALLS)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("RolledBack", {"method": "POST", "path": f"{HERE}/reconcile", "body": {}}),
        ("ReleaseCommandFailed", {"method": "POST", "path": f"{HERE}/reconcile", "body": {}}),
        ("Suspended", {"method": "PATCH", "path": HERE, "body": {"spec": {"suspended": False}}}),
        ("Canary", {"method": "PATCH", "path": HERE, "body": {"spec": {"canary": None}}}),
        ("Pending", None),
        ("ImageNotFound", None),
        ("CrashLoop", None),
    ],
)
def test_it_is_that_of_the_reason_and_can_be_sent_as_it_is(own_world: World, reason: str, said: Any) -> None:
    world = own_world
    says(world, reason)
    found = call(world)
    assert found == said
    assert call(world, "viewer") is None
    if found:
        assert world.ask(found["method"], found["path"], json=found["body"]).status_code in (200, 202)


def test_what_serves_becomes_what_is_asked_for(own_world: World) -> None:
    world = own_world
    release(world, f"web@{DIGEST}")
    says(world, "ImageNotFound")
    world.database.execute('UPDATE skypanel.object_status SET details = \'{"running": ["web:1"]}\'')
    found = call(world)
    assert found == {"method": "POST", "path": f"{HERE}/rollback", "body": {"release": 1}}
    assert world.ask("POST", found["path"], json=found["body"]).json()["spec"]["release"] == 1


def test_a_pause_is_ended_in_the_words_that_it_was_made_in(own_world: World) -> None:
    world = own_world
    says(world, "Paused")
    world.ask("POST", f"{HERE}/pause")
    assert call(world) == {"method": "POST", "path": f"{HERE}/resume", "body": {}}
    world.ask("POST", f"{WHOLE}/pause", "platform")
    assert call(world, "platform") == {"method": "POST", "path": f"{WHOLE}/resume", "body": {}}
    world.database.execute("INSERT INTO skypanel.reconcile_controls (scope, paused) VALUES ('installation', true)")
    assert call(world) is None
    assert call(world, "platform") is None
