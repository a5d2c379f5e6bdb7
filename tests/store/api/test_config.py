"""Config vars over the API: set, unset and imported in bulk, listed by name, and given back by nothing."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from psycopg import sql

from controller.api.documents import encode
from controller.vault.sealed import DataKey, Place, Sealed
from controller.vault.vault import Vault
from tests.store.api.conftest import HERE, KEYRING, World
from tests.store.api.test_objects import problem
from tests.store.conftest import Database

APP = "/api/paas/organizations/acme/apps/shop/config"
ORGANIZATION = "/api/paas/organizations/acme/config"
AT = f"{HERE}/config"
VALUE = "v4lu3-not-to-be-seen"
MERGE = {"Content-Type": "application/merge-patch+json"}


def opened(world: World) -> dict[str, bytes]:
    """What the controller is given, by name."""
    key = DataKey(
        *world.database.execute("SELECT id::text, organization_id::text, kek_id, wrapped FROM skypanel.data_keys")[0]
    )
    rows = world.database.execute(
        "SELECT id::text, name, version, key_id, ciphertext FROM skypanel.config_vars"
        " WHERE deleted_at IS NULL AND environment_id = %s",
        world.acme.environment,
        role="controller",
    )
    owner = (str(world.acme.organization), "environment", str(world.acme.environment))
    return {
        name: Vault(KEYRING).open(Sealed(Place(*owner, row, name, version), key_id, text), key)  # type: ignore[arg-type]
        for row, name, version, key_id, text in rows
    }


def everything(database: Database) -> str:
    """All rows of all tables, as texts."""
    tables = database.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'skypanel')")
    found = []
    with database.connect("postgres") as conn:
        for schema, table in tables:
            query = sql.SQL("SELECT t::text, encode(t::text::bytea, 'escape') FROM {} t").format(
                sql.Identifier(schema, table)
            )
            found += [str(row) for row in conn.execute(query)]
    return "\n".join(found)


def test_several_are_set_and_unset_at_once_and_sealed_as_the_command_line_seals_them(own_world: World) -> None:
    world = own_world
    answer = world.ask("PATCH", AT, json={"URL": VALUE, "CERT": {"base64": "/wo=", "asFile": True}, "EMPTY": ""})
    assert answer.status_code == 200, answer.text
    assert [each["action"] for each in answer.json()["written"]] == ["set"] * 3
    assert opened(world) == {"URL": VALUE.encode(), "CERT": b"\xff\n", "EMPTY": b""}
    again = world.ask("PATCH", AT, json={"URL": "other", "EMPTY": None, "NEVER": None}, headers=MERGE).json()
    assert [(each["name"], each["action"]) for each in again["written"]] == [("URL", "changed"), ("EMPTY", "unset")]
    assert opened(world) == {"URL": b"other", "CERT": b"\xff\n"}
    assert [(each["name"], each["version"], each["asFile"]) for each in again["items"]] == [
        ("CERT", 1, True),
        ("URL", 2, False),
    ]


def test_a_file_of_lines_is_imported_and_others_stay(own_world: World) -> None:
    world = own_world
    world.ask("PATCH", AT, json={"KEPT": "1"})
    text = 'export LOG=debug # said\nTWO="a\nb"\n'
    answer = world.ask("PATCH", AT, content=text, headers={"Content-Type": "text/plain; charset=utf-8"})
    assert answer.status_code == 200, answer.text
    assert opened(world) == {"KEPT": b"1", "LOG": b"debug", "TWO": b"a\nb"}
    for wrong in ("", "# nothing\n"):
        problem(world.ask("PATCH", AT, content=wrong, headers={"Content-Type": "text/plain"}), "invalid")
    bad = world.ask("PATCH", AT, content=f"A=1\n'{VALUE}\n", headers={"Content-Type": "text/plain"})
    assert "body:2" in problem(bad, "conflict")["detail"]
    assert VALUE not in bad.text


def test_the_nearest_counts_and_the_list_says_where_each_is_set(own_world: World) -> None:
    world = own_world
    for address, name in ((ORGANIZATION, "REGION"), (APP, "REGION"), (APP, "LOG"), (AT, "LOG")):
        assert world.ask("PATCH", address, json={name: "x"}).status_code == 200
    items = world.ask("GET", AT).json()["items"]
    assert [(each["name"], each["setFor"], each["effective"]) for each in items] == [
        ("LOG", "app acme/shop", False),
        ("LOG", "environment acme/shop/production", True),
        ("REGION", "organization acme", False),
        ("REGION", "app acme/shop", True),
    ]
    assert [each["name"] for each in world.ask("GET", ORGANIZATION, "viewer").json()["items"]] == ["REGION"]


def test_no_value_is_in_an_answer_a_row_a_record_or_a_log(own_world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world = own_world
    headers = {"Idempotency-Key": "k-1"}
    body = {"TOKEN": VALUE}
    answers = [
        world.ask("PATCH", f"{AT}?dryRun=true", json=body),
        world.ask("PATCH", AT, json=body, headers=headers),
        world.ask("PATCH", AT, json=body, headers=headers),
        world.ask("PATCH", AT, json={"TOKEN": "another"}, headers=headers),
        world.ask("PATCH", AT, json={"PORT": VALUE, "A": [VALUE], "B": {"base64": VALUE}, "C": {"x": VALUE}}),
        world.ask("PATCH", AT, json={"TOKEN": VALUE + "\0"}),
        world.ask("PATCH", AT, content=f'{{"TOKEN": "{VALUE}'),
        world.ask("PATCH", AT, "viewer", json=body),
        world.ask("PATCH", AT, json=body, headers={"If-Match": '"c0"'}),
        world.ask("GET", AT),
        world.ask("GET", HERE),
        world.ask("GET", f"{HERE}/explain"),
        world.ask("GET", "/api/events"),
    ]
    assert answers[2].content == answers[1].content
    problem(answers[3], "key-reused")
    problem(answers[7], "forbidden")
    problem(answers[8], "precondition-failed")
    seen = "\n".join([*(answer.text for answer in answers), everything(world.database), *capfd.readouterr()])
    assert "TOKEN" in seen
    where = ["PATCH", AT, []]
    digests = [hashlib.sha256(encode(each)).hexdigest() for each in (body, [where, body], VALUE)]
    for shown in (VALUE, base64.b64encode(VALUE.encode()).decode(), VALUE.encode().hex(), *digests):
        assert shown not in seen


def test_a_dry_run_says_which_and_sets_nothing(world: World) -> None:
    answer = world.ask("PATCH", f"{AT}?dryRun=true", json={"DRY": "1"})
    assert answer.json() == {"changed": True, "written": [{"name": "DRY", "action": "set", "version": 1}]}
    assert "DRY" not in world.ask("GET", AT).text


def test_it_is_changed_as_it_was_read_or_not_at_all(own_world: World) -> None:
    world = own_world
    before = world.ask("GET", AT).headers["ETag"]
    first = world.ask("PATCH", AT, json={"A": "1"}, headers={"If-Match": before})
    assert first.status_code == 200, first.text
    assert first.headers["ETag"] != before
    problem(world.ask("PATCH", AT, json={"A": "2"}, headers={"If-Match": before}), "precondition-failed")
    unset = world.ask("PATCH", AT, json={"A": None}, headers={"If-Match": first.headers["ETag"]})
    assert unset.headers["ETag"] == before, "nothing is set, as before"
    world.ask("PATCH", AT, json={"A": "1"})
    assert world.ask("GET", AT).headers["ETag"] != first.headers["ETag"], "it is another one of the same name"


def test_each_name_that_is_wrong_is_pointed_to_and_nothing_is_set(world: World) -> None:
    found = problem(world.ask("PATCH", AT, json={"GOOD": "1", "1BAD": "x", "N": 7, "F": {"asFile": True}}), "invalid")
    assert [error["pointer"] for error in found["errors"]] == ["/1BAD", "/N", "/F"]
    problem(world.ask("PATCH", AT, json=["A"]), "invalid")
    problem(world.ask("PATCH", AT, json={"F": {"value": "", "asFile": True}}), "conflict")
    assert "GOOD" not in world.ask("GET", AT).text


def test_it_asks_for_the_verb_config_and_for_what_is_there(own_world: World) -> None:
    world = own_world
    problem(world.ask("PATCH", AT, "deployer", json={"A": "1"}), "forbidden")
    problem(world.ask("PATCH", f"{HERE.replace('production', 'none')}/config", json={"A": "1"}), "not-found")
    world.ask("DELETE", HERE, headers=world.tag())
    problem(world.ask("PATCH", AT, json={"A": "1"}), "not-found")


def test_without_a_key_it_says_so_and_nothing_of_the_platform(own_world: World) -> None:
    world = own_world
    world.ask("PATCH", AT, json={"A": "1"})
    world.database.execute("UPDATE skypanel.data_keys SET kek_id = 'ffffffff'")
    found = problem(world.ask("PATCH", AT, json={"A": "2"}), "no-key")
    assert "ffffffff" not in str(found)
    assert "SKYPANEL" not in found["detail"]


def test_the_role_of_the_api_reads_no_ciphertext(world: World) -> None:
    assert not world.database.one(
        "SELECT has_column_privilege('skypanel_api', 'skypanel.config_vars', 'ciphertext', 'SELECT')"
    )


def test_waiting_says_how_far_the_rollout_came(own_world: World) -> None:
    waited: dict[str, Any] = own_world.ask("PATCH", f"{AT}?wait=1", json={"A": "1"}).json()["waited"]
    assert waited["converged"] is False


def test_who_is_of_another_organization_finds_nothing(world: World) -> None:
    for address in (AT, APP, ORGANIZATION):
        problem(world.ask("GET", address, "other"), "not-found")
