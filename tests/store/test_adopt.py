"""Adoption on a real database: all rows or none, held until it is resumed, and gone on with after a crash."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from controller.actions import adopt, unadopt
from controller.actions.errors import ActionError
from controller.swarm.errors import NotFound
from controller.vault.keyring import Keyring, generate
from controller.vault.vault import Vault
from reconcilers import labels
from reconcilers.ports import Options
from specs.compose.convert import Wanted
from tests.store.conftest import Database, Tenant
from tests.store.test_config_cli import path

LEGACY: dict[str, Any] = {
    "ID": "5o0ywdrejrtt",
    "Version": {"Index": 7},
    "Spec": {
        "Name": "legacy",
        "Labels": {},
        "TaskTemplate": {"ContainerSpec": {"Image": "web:1", "Env": ["TOKEN=pl4nt3d", "PORT=8080"]}},
        "Mode": {"Replicated": {"Replicas": 2}},
    },
}


class Engine:
    """Has one service; ``broken``: it ends before it takes a write."""

    def __init__(self) -> None:
        self.service: dict[str, Any] = copy.deepcopy(LEGACY)
        self.broken = False
        self.writes = 0

    def call(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:
        if path == "/tasks":
            return []
        if path not in ("/services/legacy", "/services/5o0ywdrejrtt", "/services/5o0ywdrejrtt/update"):
            raise NotFound(404, path)
        if method == "POST":
            if self.broken:
                raise KeyboardInterrupt
            assert (query or {})["version"] == 7
            self.writes += 1
            self.service["Spec"] = body
        return copy.deepcopy(self.service)


def test_what_was_interrupted_before_the_labels_goes_on_and_writes_no_row_again(
    database: Database, tenant: Tenant
) -> None:
    organization = path(database, 1)
    engine, vault, options = Engine(), Vault(Keyring(text=generate())), Options("skypanel")
    before = copy.deepcopy(engine.service["Spec"])

    def run() -> int:
        adoption = adopt.look(engine, ["legacy"], "", Wanted(organization))
        assert "pl4nt3d" not in repr(adoption)
        with database.connect("panel") as conn:
            return sum(each.changed for each in adopt.carry_out(conn, engine, vault, adoption, options))

    engine.broken = True
    with pytest.raises(KeyboardInterrupt):
        run()
    ((paused, why),) = database.execute("SELECT paused, paused_reason FROM skypanel.reconcile_controls", role="panel")
    assert paused
    assert why.startswith("adopted: service legacy runs as it was found")
    assert database.execute("SELECT name FROM skypanel.config_vars", role="panel") == [("TOKEN",)]
    engine.broken = False
    assert run() == 0
    assert run() == 0
    assert engine.writes == 1
    after = engine.service["Spec"]
    assert {**after, "Labels": {}} == before, "labels alone"
    assert after["Labels"][labels.PROCESS] == "web"

    database.execute("UPDATE skypanel.reconcile_controls SET paused = false", role="panel")
    with pytest.raises(ActionError, match="exists"):
        run()


class Engines(Engine):
    """Has another service beside it, and lists those with a label."""

    def call(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:
        if path == "/services":
            (label,) = (query or {})["filters"]["label"]
            name, _, value = label.partition("=")
            return [copy.deepcopy(self.service)] * (self.service["Spec"]["Labels"].get(name) == value)
        if path in ("/services/other", "/services/0ther"):
            spec = {**LEGACY["Spec"], "Name": "other"}
            return {**copy.deepcopy(LEGACY), "ID": "0ther", "Spec": spec}
        return super().call(method, path, query, body)


def test_an_adoption_is_taken_back_by_the_service_it_was_of_and_what_was_there_before_stays(
    database: Database, tenant: Tenant
) -> None:
    organization = path(database, 1)
    engine, vault, options = Engines(), Vault(Keyring(text=generate())), Options("skypanel")
    before = copy.deepcopy(engine.service["Spec"])
    app = database.one("SELECT slug FROM paas_apps", role="panel")

    def look(service: str, name: str) -> adopt.Adoption:
        return adopt.look(engine, [service], "", Wanted(organization, "adopted", name))

    def rows() -> list[Any]:
        return database.execute(
            "SELECT a.slug, e.name FROM paas_apps a"
            " LEFT JOIN paas_environments e ON e.app_id = a.id AND e.deleted_at IS NULL"
            " WHERE a.deleted_at IS NULL AND e.name IS DISTINCT FROM 'production' ORDER BY 1",
            role="panel",
        )

    there = rows()
    for name in ("fresh", app):
        with database.connect("panel") as conn:
            adopt.carry_out(conn, engine, vault, look("legacy", name), options)
            with pytest.raises(ActionError, match="was service legacy, and not other"):
                unadopt.take_back(conn, engine, look("other", name))
            assert (name, "adopted") in rows()
            unadopt.take_back(conn, engine, look("legacy", name))
        assert engine.service["Spec"] == before
        assert rows() == there
    assert database.one("SELECT count(*) FROM paas_apps WHERE deleted_at IS NULL", role="panel") == 1


class Stack:
    """An engine with two services, that counts its steps with those of the database, and ends at one of them."""

    def __init__(self) -> None:
        self.services = {
            f"1d{name}": {
                **copy.deepcopy(LEGACY),
                "ID": f"1d{name}",
                "Spec": {**copy.deepcopy(LEGACY["Spec"]), "Name": name},
            }
            for name in ("front", "back")
        }
        self.steps = 0
        self.ends_at: int | None = None
        self.killed: list[psycopg.Connection] = []

    def step(self) -> None:
        """One more is done."""
        self.steps += 1
        if self.ends_at == self.steps:
            for conn in self.killed:
                conn.close()
            raise KeyboardInterrupt

    def call(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:
        found = self._call(method, path, query, body)
        self.step()
        return found

    def _call(self, method: str, path: str, query: Mapping[str, Any] | None, body: Mapping[str, Any] | None) -> Any:
        if path == "/tasks":
            return []
        if path == "/services":
            (label,) = (query or {})["filters"]["label"]
            name, _, value = label.partition("=")
            return [copy.deepcopy(s) for s in self.services.values() if s["Spec"]["Labels"].get(name) == value]
        wanted = path.split("/")[2]
        found = next((s for s in self.services.values() if wanted in (s["ID"], s["Spec"]["Name"])), None)
        if found is None:
            raise NotFound(404, path)
        if method == "POST":
            assert body is not None
            assert (query or {})["version"] == found["Version"]["Index"]
            assert {**body, "Labels": {}} == {**found["Spec"], "Labels": {}}, "labels alone: no task is restarted"
            found["Version"]["Index"] += 1
            found["Spec"] = copy.deepcopy(dict(body))
        return copy.deepcopy(found)

    def labelled(self) -> list[str]:
        """Services that are somebody's."""
        return [s["Spec"]["Name"] for s in self.services.values() if s["Spec"]["Labels"]]


def killable(engine: Stack) -> type[psycopg.Cursor[Any]]:
    """A cursor each statement of which is a step of ``engine``."""

    class Killable(psycopg.Cursor[Any]):
        def execute(self, *args: Any, **kwargs: Any) -> Any:
            found = super().execute(*args, **kwargs)
            engine.step()
            return found

    return Killable


@pytest.mark.long
def test_an_adoption_that_is_killed_while_it_is_taken_back_is_taken_back_by_the_same_command(
    database: Database, tenant: Tenant
) -> None:
    """After every step: each question and each write, of the engine and of the database."""
    organization, options = path(database, 1), Options("skypanel")
    vault = Vault(Keyring(text=generate()))
    wanted = Wanted(organization, "adopted")

    def rows() -> int:
        return int(
            database.one(
                "SELECT count(*) FROM paas_environments WHERE name = 'adopted' AND deleted_at IS NULL", role="panel"
            )
        )

    def take_back(engine: Stack) -> None:
        adoption = adopt.look(engine, ["front", "back"], "", wanted)
        with database.connect("panel") as conn:
            engine.killed = [conn]
            conn.cursor_factory = killable(engine)
            unadopt.take_back(conn, engine, adoption)

    ends: list[int | None] = [None]
    tried = 0
    while ends:
        engine = Stack()
        with database.connect("panel") as conn:
            adopt.carry_out(conn, engine, vault, adopt.look(engine, ["front", "back"], "", wanted), options)
        assert (engine.labelled(), rows()) == (["front", "back"], 2)
        engine.steps, engine.ends_at = 0, ends.pop()
        if engine.ends_at is None:
            take_back(engine)
            ends = [*range(1, engine.steps + 1)]
            tried = len(ends)
        else:
            with pytest.raises((KeyboardInterrupt, psycopg.OperationalError)):
                take_back(engine)
            assert rows() in (0, 2), "all rows or none"
            engine.ends_at = None
            if rows():
                take_back(engine)
        assert (engine.labelled(), rows()) == ([], 0)
        assert not database.one("SELECT count(*) FROM skypanel.reconcile_controls WHERE paused", role="panel")
    assert tried > 20
