"""Passwords of registries' users over the API: set, sealed as by the command line, and given back by nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.vault.sealed import DataKey, LoginPlace, SealedLogin
from controller.vault.vault import Vault
from tests.store.api.conftest import KEYRING, ONLY, World
from tests.store.api.test_config import everything
from tests.store.api.test_objects import problem

HERE = "/api/caas/organizations/acme/registries/ghcr.io"
AT = f"{HERE}/password"
PASSWORD = "p4ssw0rd-not-to-be-seen"


def opened(world: World) -> tuple[str, str]:
    """User and password, as the controller opens them."""
    key = DataKey(
        *world.database.execute("SELECT id::text, organization_id::text, kek_id, wrapped FROM skypanel.data_keys")[0]
    )
    ((row, user, version, key_id, text),) = world.database.execute(
        "SELECT id::text, username, version, key_id, ciphertext FROM caas_registry_credentials"
    )
    place = LoginPlace(str(world.acme.organization), row, "ghcr.io", user, version)
    return user, Vault(KEYRING).open_login(SealedLogin(place, "", key_id, text, key)).decode()


def test_a_user_is_made_with_his_password_and_gets_another_one_and_nothing_gives_it_back(own_world: World) -> None:
    world = own_world
    made = world.ask("PUT", AT, json={"username": "ci", "password": PASSWORD})
    assert made.status_code == 200, made.text
    assert made.json()["written"] == {"version": 1}
    assert made.json()["spec"] == {"username": "ci"}
    assert opened(world) == ("ci", PASSWORD)
    again = world.ask("PUT", AT, json={"password": f"{PASSWORD}2"}, headers={"If-Match": made.headers["ETag"]})
    assert again.json()["written"] == {"version": 2}, again.text
    assert opened(world) == ("ci", f"{PASSWORD}2")
    problem(
        world.ask("PUT", AT, json={"password": "x"}, headers={"If-Match": made.headers["ETag"]}), "precondition-failed"
    )
    other = world.ask("PUT", AT, json={"username": "robot", "password": PASSWORD}, headers={"Idempotency-Key": "one"})
    assert opened(world) == ("robot", PASSWORD)
    same = world.ask("PUT", AT, json={"username": "robot", "password": PASSWORD}, headers={"Idempotency-Key": "one"})
    assert (same.json()["written"], other.json()["written"]) == ({"version": 3}, {"version": 3})
    assert PASSWORD not in everything(world.database)
    answers = [made, again, other, same, world.ask("GET", HERE), world.ask("GET", "/api/events")]
    assert not [answer for answer in answers if PASSWORD in answer.text]


def test_a_dry_run_sets_nothing_and_what_is_not_there_is_not_found(own_world: World) -> None:
    world = own_world
    dry = world.ask("PUT", f"{AT}?dryRun=true", json={"username": "ci", "password": PASSWORD})
    assert dry.json() == {"changed": True, "rows": []}
    assert world.database.execute("SELECT FROM caas_registry_credentials") == []
    problem(world.ask("PUT", AT, json={"password": PASSWORD}), "not-found")
    problem(world.ask("PUT", AT, "other", json={"username": "ci", "password": PASSWORD}), "not-found")


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({}, "/password"),
        ({"username": "ci"}, "/password"),
        ({"password": 7}, "/password"),
        ({"password": ""}, "/password"),
        ({"password": f"{PASSWORD}\n{PASSWORD}"}, "/password"),
        ({"password": PASSWORD * 1000}, "/password"),
        ({"username": "a:b", "password": PASSWORD}, "/username"),
        ({"username": ["ci"], "password": PASSWORD}, "/username"),
        ({"password": PASSWORD, "ciphertext": "x"}, "/ciphertext"),
        ([PASSWORD], ""),
    ],
)
def test_what_is_wrong_is_said_by_field_and_never_the_password(world: World, sent: Any, pointer: str) -> None:
    answer = world.ask("PUT", AT, json=sent)
    assert pointer in {each.get("pointer", "") for each in problem(answer, "invalid")["errors"]}
    assert PASSWORD not in answer.text


def test_a_host_that_is_none_is_refused(world: World) -> None:
    address = "/api/caas/organizations/acme/registries/GHCR/password"
    problem(world.ask("PUT", address, json={"username": "ci", "password": PASSWORD}), "invalid")


def test_who_may_set_passwords_alone_makes_and_changes_no_user(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = own_world
    monkeypatch.setitem(ONLY, "keeper", {"read", "config"})
    world.tokens.known["keeper"] = replace(world.tokens.known["owner"], role="keeper")
    problem(world.ask("PUT", AT, "keeper", json={"username": "ci", "password": PASSWORD}), "forbidden")
    world.ask("PUT", AT, json={"username": "ci", "password": PASSWORD})
    problem(world.ask("PUT", AT, "keeper", json={"username": "me", "password": PASSWORD}), "forbidden")
    assert world.ask("PUT", AT, "keeper", json={"password": "next"}).status_code == 200
    assert opened(world) == ("ci", "next")
