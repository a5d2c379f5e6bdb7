"""Why an object is not as declared, by the database alone: no engine answers here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from controller.cli import main
from tests.store.conftest import Database, Tenant

Explain = Callable[..., dict[str, Any]]
PATH = "acme/shop/production"


@pytest.fixture
def explain(database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Explain:
    """What ``explain -o json`` says, as a role."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

    def command(*words: str, role: str = "reader") -> dict[str, Any]:
        monkeypatch.setenv("DATABASE_URL", database.dsn(f"skypanel_{role}" if role == "owner" else role))
        ended = main(["explain", *words, "-o", "json"])
        captured = capsys.readouterr()
        assert ended == 0, captured.err
        found: dict[str, Any] = json.loads(captured.out)
        return found

    return command


def lead(database: Database, *, age: str = "0 s", engine: str = "0 s") -> None:
    """A controller has renewed its lease so long ago, and the engine answered it."""
    database.execute(
        "INSERT INTO skypanel.lease (name, holder, epoch, renewed_at, expires_at, engine_seen_at)"
        " VALUES ('skypanel', 'manager-1:7:x', 1, now() - %s::interval, now() - %s::interval + interval '10 s',"
        " now() - %s::interval)",
        age, age, engine,
    )  # fmt: skip


def say(database: Database, kind: str, object_id: object, reason: str, message: str = "so it is", **more: Any) -> None:
    """What a controller would say of an object."""
    type_ = more.get("type", "Stalled")
    ready = more.get("ready", False)
    conditions = [{"type": "Ready", "status": str(ready), "reason": reason, "message": message}]
    if not ready:
        conditions.append({"type": type_, "status": "True", "reason": reason, "message": message})
    database.execute(
        "INSERT INTO skypanel.object_status"
        " (kind, id, observed_generation, conditions, ready, reason, message, details, epoch)"
        " SELECT kind, id, generation, %s::jsonb, %s, %s, %s, %s::jsonb, 1 FROM"
        " (SELECT kind, id, generation FROM skypanel.objects UNION SELECT kind, id, generation FROM skypanel.parts) o"
        " WHERE kind = %s AND id = %s",
        json.dumps(conditions), ready, reason, message, json.dumps(more.get("details", {})), kind, object_id,
    )  # fmt: skip


def states(found: dict[str, Any]) -> dict[str, str]:
    return {link["link"]: link["state"] for link in found["chain"]}


OUT_OF_MEMORY = (
    "task: non-zero exit (137): it was killed; usually the memory limit of 16 MiB was reached, else its health check "
    "failed or it did not end in its grace period"
)
CAUSES = [
    ("ImageNotFound", "shop has no tag 9", "image", "broken", "Push it"),
    ("ImageDenied", "401", "image", "broken", "Correct the name"),
    ("RegistryUnavailable", "503", "image", "waits", "tried again"),
    ("KeyUnavailable", "key 4711", "config", "broken", "`skypanel keys status`"),
    ("ConfigUnreadable", "TOKEN", "config", "broken", "set it again"),
    ("NoImage", "image_ref", "release", "broken", "Wait for its build"),
    ("NotSupported", "volumes", "row", "broken", "remove it"),
    ("InvalidSpec", "port: 0", "row", "broken", "change it"),
    ("NameConflict", "service x", "service", "broken", "Remove or rename"),
    ("FuseTripped", "nothing is removed", "hold", "broken", "`skypanel gc`"),
    ("Contested", "image", "hold", "broken", "change the row"),
    ("RolloutQueued", "32 are in flight", "hold", "waits", "by itself"),
    ("ReconcileTimeout", "it did not end", "controller", "waits", "skypanel trace"),
    ("CrashLoop", "web: task: non-zero exit (3)", "task", "broken", "docker service logs"),
    ("CrashLoop", "tasks of x end again and again: its health check failed ([/ok], every 5s): exit code 1", "health",
     "broken", "answer the check"),
    ("Unhealthy", "web: a task of x was not healthy within 30 s: its health check failed ([/ok], every 5s)",
     "health", "broken", "answer the check"),
    ("Unhealthy", "web: the new version was not healthy within 30 s of its start; the last good one comes back",
     "health", "waits", "comes back by itself"),
    ("RolledBack", "x failed and was taken back: No such image: x:9; x:8 runs meanwhile", "image", "broken", "Push it"),
    ("RolledBack", OUT_OF_MEMORY, "task", "broken", "more memory"),
    ("ProgressDeadlineExceeded", "no suitable node (insufficient resources on 1 node)", "placement", "broken",
     "Ask for less"),
    ("ProgressDeadlineExceeded", "no suitable node (scheduling constraints not satisfied on 1 node)", "placement",
     "broken", "Label a node"),
    ("RollingOut", "0/1 run", "task", "waits", "by itself"),
    ("AWordOfItsOwn", "the moon is full", "state", "broken", "says what to do"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "message", "link", "state", "mend"), CAUSES, ids=[f"{c[0]}-{c[2]}" for c in CAUSES])
def test_the_first_link_that_is_broken_is_the_cause(
    database: Database, tenant: Tenant, explain: Explain, reason: str, message: str, link: str, state: str, mend: str
) -> None:
    lead(database)
    say(database, "environment", tenant.environment, reason, message)
    found = explain("env", PATH)
    assert (found["cause"]["link"], found["cause"]["state"]) == (link, state)
    assert mend in found["cause"]["mend"]
    assert message in found["cause"]["evidence"] or link == "state"
    assert found["verdict"].startswith(f"environment {PATH} is not ready")
    names = list(states(found))
    before = names[: names.index(link)]
    assert {states(found)[name] for name in before} <= {"ok"}
    assert "services, tasks, nodes and networks: " in found["unseen"][0]


def test_a_controller_that_is_away_is_the_cause_whatever_it_said_last(
    database: Database, tenant: Tenant, explain: Explain
) -> None:
    lead(database, age="5 minutes")
    say(database, "environment", tenant.environment, "ImageNotFound", "shop has no tag 9")
    found = explain("env", PATH)
    assert found["cause"]["link"] == "controller"
    assert "no controller has renewed its lease" in found["verdict"]
    assert found["cause"]["mend"].startswith("Start one: `skypanel up`")
    assert states(found)["image"] == "follows"


def test_what_was_ready_is_unknown_while_nobody_vouches_for_it(
    database: Database, tenant: Tenant, explain: Explain
) -> None:
    lead(database, engine="5 minutes")
    say(database, "environment", tenant.environment, "Deployed", ready=True)
    found = explain("env", PATH)
    assert found["verdict"].startswith(f"whether environment {PATH} is as declared is unknown: ")
    assert (found["cause"]["link"], found["ready"]) == ("controller", None)
    assert "has not reached the engine" in found["cause"]["evidence"]


@pytest.mark.usefixtures("tenant")
def test_where_no_controller_ever_was_it_says_so(explain: Explain) -> None:
    found = explain("env", PATH)
    assert found["cause"]["evidence"] == "no controller has been alive ever"


@pytest.mark.parametrize("scope", ["object", "organization", "installation"])
def test_a_pause_is_named_with_who_why_and_what_ends_it(
    database: Database, tenant: Tenant, explain: Explain, scope: str
) -> None:
    lead(database)
    say(database, "environment", tenant.environment, "Deployed", ready=True)
    key = {"object": ("environment", tenant.environment), "organization": ("organization", tenant.organization)}
    kind, object_id = key.get(scope, ("", "00000000-0000-0000-0000-000000000000"))
    database.execute(
        "INSERT INTO skypanel.reconcile_controls (scope, kind, id, paused, paused_reason, paused_by)"
        " VALUES (%s, %s, %s, true, 'engine upgrade', 'ann')", scope, kind, object_id,
    )  # fmt: skip
    found = explain("env", PATH)
    assert found["cause"]["link"] == "hold"
    assert "ann paused it (engine upgrade)" in found["verdict"]
    words = {"object": f"environment {PATH}", "organization": "--organization acme", "installation": "--all"}
    assert found["cause"]["mend"] == f"`skypanel resume {words[scope]}`"
    assert {"what": "it was paused: engine upgrade", "by": "ann"}.items() <= found["changes"][0].items()


def test_a_network_that_is_not_there_is_explained_by_its_organization(
    database: Database, tenant: Tenant, explain: Explain
) -> None:
    lead(database)
    say(database, "environment", tenant.environment, "NetworkNotReady", "not yet", type="Reconciling")
    say(database, "organization", tenant.organization, "SubnetPoolExhausted", "no free /24 is left")
    found = explain("env", PATH)
    assert found["cause"]["link"] == "network"
    assert "SubnetPoolExhausted" in found["cause"]["evidence"]
    assert found["cause"]["mend"] == "Widen `SKYPANEL_SUBNET_POOL`, or remove organizations"
    assert explain("org", "acme")["cause"]["mend"] == found["cause"]["mend"]


def test_an_app_is_explained_by_the_environment_that_is_in_the_way(
    database: Database, tenant: Tenant, explain: Explain
) -> None:
    lead(database)
    say(database, "environment", tenant.environment, "ImageNotFound", "shop has no tag 9")
    found = explain("app", "acme/shop")
    assert found["cause"]["link"] == "environment production"
    assert found["cause"]["evidence"] == "image: ImageNotFound: shop has no tag 9"
    assert "no such tag" in found["verdict"]


def test_parts_are_explained_by_the_chain_of_their_owner(database: Database, tenant: Tenant, explain: Explain) -> None:
    lead(database)
    made = {
        table: database.one(query, tenant.environment, role="panel")
        for table, query in {
            "process": "INSERT INTO paas_processes (environment_id, type) VALUES (%s, 'web') RETURNING id",
            "domain": "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'a.example') RETURNING id",
        }.items()
    }
    say(database, "environment", tenant.environment, "Deployed", ready=True)
    say(database, "process", made["process"], "Deployed", ready=True)
    say(database, "domain", made["domain"], "EntryPointUnknown", "no websecure", type="Reconciling")
    found = explain("domain", "a.example")
    assert (found["cause"]["link"], found["cause"]["mend"]) == ("route", "Compare with its flags")
    assert explain("process", f"{PATH}/web")["cause"]["link"] == "route"
    owner = explain("env", PATH)
    assert owner["cause"]["link"] == "route"
    assert owner["verdict"].startswith(f"environment {PATH} is as declared, but: ")


def test_a_suspended_environment_says_who_is_suspended(database: Database, tenant: Tenant, explain: Explain) -> None:
    database.execute("UPDATE paas_apps SET suspended = true WHERE id = %s", tenant.app, role="panel")
    lead(database)
    say(database, "environment", tenant.environment, "Suspended", "stopped on request", ready=True)
    found = explain("env", PATH)
    assert found["cause"] is None
    (task,) = (link for link in found["chain"] if link["link"] == "task")
    assert task["evidence"].endswith("; app acme/shop is suspended")


def test_what_is_deleted_says_since_when_and_what_brings_it_back(
    database: Database, tenant: Tenant, explain: Explain
) -> None:
    lead(database)
    database.execute("UPDATE paas_apps SET deleted_at = now() WHERE id = %s", tenant.app, role="panel")
    say(database, "environment", tenant.environment, "Deleting", "2 tasks", type="Reconciling")
    going = explain("env", PATH)
    assert going["verdict"].startswith(f"environment {PATH} is being deleted: ")
    assert "app acme/shop was deleted at" in going["cause"]["evidence"]
    database.execute("UPDATE skypanel.object_status SET finalized_at = now()")
    gone = explain("env", PATH)
    assert gone["verdict"].startswith(f"environment {PATH} is gone: ")
    assert "`skypanel restore app acme/shop`" in gone["cause"]["mend"]


def test_a_row_that_no_controller_has_read_is_found_to_be_invalid(
    database: Database, tenant: Tenant, explain: Explain
) -> None:
    names = database.execute(
        "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = 'paas_environments'::regclass"
    )
    for (name,) in names:
        database.execute(f'ALTER TABLE paas_environments DROP CONSTRAINT "{name}"')
    lead(database)
    database.execute("UPDATE paas_environments SET port = 0 WHERE id = %s", tenant.environment)
    found = explain("env", PATH)
    assert found["cause"]["link"] == "row"
    assert "port" in found["cause"]["evidence"]


@pytest.mark.parametrize("role", ["reader", "panel", "owner"])
def test_who_may_only_read_is_told_what_his_rights_allow(
    database: Database, tenant: Tenant, explain: Explain, role: str
) -> None:
    lead(database)
    say(database, "environment", tenant.environment, "KeyUnavailable", "key 4711")
    found = explain("env", PATH, role=role)
    assert found["cause"]["link"] == "config"
    assert any(unseen.startswith("its document: ") for unseen in found["unseen"]) is (role == "panel")


@pytest.mark.usefixtures("tenant")
def test_a_plan_has_no_state(explain: Explain) -> None:
    found = explain("plan", "nano-acme")
    assert (found["cause"], found["verdict"]) == (None, "plan nano-acme has no state of its own")


def test_what_changed_it_is_said_with_its_time_and_by_whom(
    database: Database, tenant: Tenant, explain: Explain
) -> None:
    lead(database)
    database.execute(
        "INSERT INTO paas_releases (environment_id, version, image_ref, created_at)"
        " VALUES (%s, 7, 'web:1', now() + interval '2 s')",
        tenant.environment,
    )
    database.execute(
        "INSERT INTO skypanel.events (kind, object_id, type, reason, message)"
        " VALUES ('environment', %s, 'Normal', 'Updated', '~ service web: image: web:0 -> web:1')",
        tenant.environment,
    )
    say(database, "environment", tenant.environment, "Deployed", ready=True)
    what = [(change["what"], change["by"]) for change in explain("env", PATH)["changes"]]
    assert what[:2] == [
        ("release 7 was made", None),
        ("Updated: ~ service web: image: web:0 -> web:1", "the controller"),
    ]
    assert what[2][0] == f"environment {PATH} was made"


def test_no_password_is_shown(database: Database, tenant: Tenant, explain: Explain) -> None:
    lead(database)
    said = "no answer from postgres://shop:s3cret@db/shop"
    say(database, "environment", tenant.environment, "CrashLoop", said)
    say(database, "organization", tenant.organization, "Deployed", said, ready=True)
    assert "s3cret" not in json.dumps([explain("env", PATH), explain("org", "acme"), explain("app", "acme/shop")])


def test_of_an_app_the_first_environment_that_is_in_the_way_is_the_cause(
    database: Database, tenant: Tenant, explain: Explain
) -> None:
    for name in ("canary", "staging"):
        database.execute(
            "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, %s, 'web:1')",
            tenant.app, name, role="panel",
        )  # fmt: skip
    lead(database)
    ids = dict(database.execute("SELECT name, id FROM paas_environments"))
    say(database, "environment", ids["canary"], "Deployed", ready=True)
    say(database, "environment", ids["production"], "ImageNotFound", "shop has no tag 9")
    say(database, "environment", ids["staging"], "CrashLoop", "non-zero exit (3)")
    chain = explain("app", "acme/shop")["chain"]
    found = {link["link"]: link["state"] for link in chain if link["link"].startswith("environment")}
    assert found == {"environment canary": "ok", "environment production": "broken", "environment staging": "broken"}


def test_people_read_the_cause_and_its_mend_first(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lead(database)
    say(database, "environment", tenant.environment, "ImageNotFound", "shop has no tag 9")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("DATABASE_URL", database.dsn("reader"))
    assert main(["explain", "env", PATH]) == 0
    first, second, third, *_ = capsys.readouterr().out.splitlines()
    assert first == f"environment {PATH} is not ready: Its registry has no such tag, digest or repository"
    assert second.startswith("  mend: Push it, set an image that exists, or have what serves")
    assert third == "  seen: ImageNotFound: shop has no tag 9"
