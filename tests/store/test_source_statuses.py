"""Statuses of commits on a real database and real sockets: said once for each state, to one API."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from pydantic import SecretStr

from controller.cli import main
from controller.declared.sealing import data_key
from controller.postgres.database import Database as Connections
from controller.settings import Settings
from controller.sources import statuses
from controller.sources.hosts import Hosts
from controller.sources.statuses import CommitStatuses
from controller.store.lease import Lease
from controller.vault.sealed import ForgePlace
from tests.sources.forge import Forge
from tests.store.conftest import Database, Tenant
from tests.store.test_sources import KEYS, add
from tests.unit.vault.test_vault import of_the_panel

pytestmark = pytest.mark.anyio
COMMIT, NEXT = "a" * 40, "b" * 40
TOKEN = "t0ken-not-to-be-seen"
Cli = Callable[..., str]


@pytest.fixture
def forge() -> Iterator[Forge]:
    forge = Forge()
    yield forge
    forge.close()


@pytest.fixture
def cli(database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs ``skypanel source statuses``; what it says."""
    monkeypatch.setenv("SKYPANEL_KEYS", KEYS)
    monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))

    def run(*words: str, code: int = 0, token: str = TOKEN) -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{token}\n".encode())))
        capsys.readouterr()
        assert main(["source", "statuses", *words]) == code
        said = "".join(capsys.readouterr())
        assert token not in said
        return said

    return run


@asynccontextmanager
async def leading(database: Database, *allowed: str, secret: str = "") -> AsyncIterator[tuple[CommitStatuses, Lease]]:
    connections = Connections(database.dsn("controller"), connections=2)
    await connections.open()
    lease = Lease(connections, "blue", 30)
    assert await lease.acquire()
    try:
        settings = Settings(skypanel_keys=SecretStr(KEYS), ssh_cred_secret=SecretStr(secret))
        yield CommitStatuses(connections, lease, settings.vault, Hosts(allowed)), lease
    finally:
        await lease.release()
        await connections.close()


def look(database: Database, row: str, commit: str | None, state: str = "ready", message: str = "as declared") -> None:
    """What the source's reconciler has said."""
    conditions = {
        "ready": [{"type": "Ready", "status": "True", "reason": "Applied", "message": message}],
        "stalled": [{"type": "Ready", "status": "False"}, {"type": "Stalled", "status": "True"}],
        "passing": [{"type": "Ready", "status": "False"}, {"type": "Reconciling", "status": "True"}],
    }[state]
    database.execute(
        "INSERT INTO skypanel.object_status AS t (kind, id, organization_id, observed_generation, conditions, ready,"
        " reason, message, details, epoch) SELECT 'source', s.id, s.organization_id, s.generation, %s::jsonb, %s, 'x',"
        " %s, %s::jsonb, 1 FROM paas_sources s WHERE s.id = %s ON CONFLICT (kind, id) DO UPDATE SET conditions ="
        " excluded.conditions, ready = excluded.ready, message = excluded.message, details = excluded.details",
        json.dumps(conditions), state == "ready", message, json.dumps({"commit": commit} if commit else {}), row,
    )  # fmt: skip


def earlier(database: Database, ago: str) -> None:
    database.execute("UPDATE skypanel.source_statuses SET at = now() - %s::interval", ago)


def problems(database: Database) -> list[str]:
    rows = database.execute("SELECT message FROM skypanel.events WHERE reason = 'StatusNotSaid' ORDER BY id")
    return [message for (message,) in rows]


async def test_each_state_of_a_commit_is_said_once(database: Database, tenant: Tenant, forge: Forge, cli: Cli) -> None:
    row = add(database, tenant, f"{forge.url}/acme/specs.git")
    api = f"{forge.url}/api/v1"
    assert f"{api} (gitea)" in cli("acme/main", "--forge", "gitea", "--api", api)
    async with leading(database, forge.authority) as (said, _):
        assert await said.say() == 0, "nothing was looked at yet"
        look(database, row, COMMIT, "passing", "the key is not here")
        await said.say()
        path, headers, body = forge.asked[0]
        assert path == f"/api/v1/repos/acme/specs/statuses/{COMMIT}"
        assert headers["Authorization"] == f"token {TOKEN}"
        assert body == {"state": "pending", "context": "skypanel/acme/main", "description": "the key is not here"}
        for state in ("passing", "stalled", "stalled", "ready", "ready"):
            look(database, row, COMMIT, state)
            await said.say()
        look(database, row, NEXT)
        await said.say()
        assert forge.states() == [
            (COMMIT, "pending"), (COMMIT, "failure"), (COMMIT, "success"), (NEXT, "success"),
        ]  # fmt: skip
        for commit in (None, "sha256:00"):
            look(database, row, commit)
            assert await said.say() == 0
        look(database, row, NEXT, message="another sentence")
        assert await said.say() == 0
        earlier(database, "11 minutes")
        assert await said.say() == 1, "another sentence of the same state waits for ten minutes"
        assert problems(database) == []


async def test_what_was_said_before_a_crash_is_said_again_and_the_last_state_counts(
    database: Database, tenant: Tenant, forge: Forge, cli: Cli
) -> None:
    row = add(database, tenant, f"{forge.url}/acme/specs.git")
    cli("acme/main", "--forge", "github", "--api", f"{forge.url}/api/v3")
    look(database, row, COMMIT, "stalled")
    async with leading(database, forge.authority) as (said, lease):
        database.execute("UPDATE skypanel.lease SET epoch = epoch + 1")  # it is said, and cannot be written down
        await said.say()
        assert lease.epoch
    database.execute("DELETE FROM skypanel.lease")
    look(database, row, COMMIT, "ready")
    async with leading(database, forge.authority) as (said, _):
        await said.say()
        assert await said.say() == 0
    assert forge.states() == [(COMMIT, "failure"), (COMMIT, "success")]
    database.execute("UPDATE skypanel.lease SET expires_at = now() - interval '1 hour'")


async def test_what_cannot_be_said_is_an_event_and_is_tried_a_few_times_each_later(
    database: Database, tenant: Tenant, forge: Forge, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = add(database, tenant, f"{forge.url}/acme/specs.git")
    cli("acme/main", "--forge", "gitlab", "--api", f"{forge.url}/api/v4")
    look(database, row, COMMIT)
    async with leading(database, forge.authority) as (said, _):
        forge.answer = (401, {}, f'{{"message": "401 {TOKEN}"}}'.encode())
        await said.say()
        assert await said.say() == 0, "it waits first"
        earlier(database, "20 seconds")
        assert await said.say() == 0
        for _ in range(9):
            earlier(database, "2 hours")
            await said.say()
        assert len(forge.states()) == 8
        (problem,) = problems(database)
        assert "answers 401" in problem
        assert "skypanel source statuses" in problem
        forge.answer = (302, {"Location": f"{forge.url}/elsewhere"}, b"")
        look(database, row, NEXT)
        await said.say()
        assert [path for path, _, _ in forge.asked] == [f"/api/v4/projects/acme%2Fspecs/statuses/{NEXT}"]
        assert "it sends elsewhere, where no token goes" in problems(database)[1]
        forge.answer = (400, {}, b'{"message": "Cannot transition status via :run from :success"}')
        earlier(database, "2 hours")
        await said.say()
        earlier(database, "2 hours")
        assert await said.say() == 0, "it is so already"
        monkeypatch.setattr(statuses, "CALL_SECONDS", 0.3)
        forge.silent.clear()
        look(database, row, COMMIT)
        await said.say()
        assert "does not answer within" in problems(database)[-1]
        forge.silent.set()
        forge.answer = (201, {}, b"x" * 300_000)
        earlier(database, "2 hours")
        monkeypatch.setattr(statuses, "CALL_SECONDS", 15)
        await said.say()
        assert "more than 262144 bytes" in problems(database)[-1]
    shown = str(database.execute("SELECT e::text, t::text FROM skypanel.events e, skypanel.source_statuses t"))
    audited = str(database.execute("SELECT entry::text FROM skypanel.audit"))
    assert TOKEN not in shown + audited


async def test_a_token_goes_to_its_api_alone(database: Database, tenant: Tenant, forge: Forge, cli: Cli) -> None:
    row = add(database, tenant, "https://git.example.com/acme/specs.git")
    assert "--forge names it" in cli("acme/main", code=1)
    assert "is none that is known" in cli("acme/main", "--forge", "svn", code=1)
    for wrong in ("ftp://x/", "https://user:pw@x.example/", "http://", "x"):
        assert "is no address of an API" in cli("acme/main", "--forge", "gitea", "--api", wrong, code=1)
    look(database, row, COMMIT)
    async with leading(database) as (said, _):  # no host is listed
        for api in (forge.url, "https://127.0.0.1", "https://169.254.169.254/v1", "https://localhost"):
            cli("acme/main", "--forge", "gitea", "--api", api)
            await said.say()
        assert forge.asked == []
        assert [" is not a host that may be asked: " in each for each in problems(database)] == [True] * 4
    async with leading(database, forge.authority) as (said, _):
        cli("acme/main", "--forge", "gitea", "--api", f"{forge.url}/api/v1/")
        await said.say()
        assert forge.states() == [(COMMIT, "success")]
        cli("acme/main", "--forge", "gitea", "--api", f"{forge.url}/api/v1")
        await said.say()
        assert forge.states() == [(COMMIT, "success")], "with another token it is said anew"
        database.execute("UPDATE paas_sources SET repo_url = repo_url || '/x' WHERE id = %s", row, role="panel")
        look(database, row, NEXT)
        database.execute("UPDATE skypanel.object_status SET observed_generation = 2 WHERE id = %s", row)
        await said.say()
        assert forge.asked == []
        assert "cannot be opened" in problems(database)[-1]
        cli("acme/main", "--remove")
        assert await said.say() == 0
        assert "has no token" in cli("acme/main", "--remove", code=1)


async def test_a_token_goes_to_no_host_that_the_tenant_alone_has_named(
    database: Database, tenant: Tenant, forge: Forge, cli: Cli
) -> None:
    """Whoever writes the source may name another repository while the operator types."""
    row = add(database, tenant, f"{forge.url}/acme/specs.git")
    look(database, row, COMMIT)
    async with leading(database, forge.authority) as (said, _):
        assert f"--api {forge.url}/api/v1" in cli("acme/main", "--forge", "gitea", code=1)
        assert await said.say() == 0
    database.execute("UPDATE paas_sources SET repo_url = 'https://github.com/a/b' WHERE id = %s", row, role="panel")
    assert "--api https://api.github.com" in cli("acme/main", "--forge", "gitlab", code=1)
    assert "https://api.github.com (github)" in cli("acme/main", "--forge", "github")
    assert "https://api.github.com (github)" in cli("acme/main")
    assert forge.asked == []


async def test_what_the_panel_sealed_for_something_else_is_sent_to_no_forge(
    database: Database, tenant: Tenant, forge: Forge
) -> None:
    """Whoever writes as the panel could else have any of its secrets opened, and sent where he says."""
    row, secret = add(database, tenant, f"{forge.url}/acme/specs.git"), "the-panel-s-own-secret"
    sealed = of_the_panel(hashlib.sha256(secret.encode()).digest(), b"a password of somebody's server")
    database.execute(
        "INSERT INTO skypanel.source_forges (id, source_id, forge, api, key_id, ciphertext)"
        " VALUES (gen_random_uuid(), %s, 'gitea', %s, 'panel', %s)", row, forge.url, sealed, role="panel",
    )  # fmt: skip
    look(database, row, COMMIT)
    async with leading(database, forge.authority, secret=secret) as (said, _):
        await said.say()
    assert forge.asked == []
    assert "cannot be opened" in problems(database)[-1]


async def test_a_token_that_no_header_has_keeps_no_other_source_from_being_said(
    database: Database, tenant: Tenant, forge: Forge, cli: Cli
) -> None:
    rows = [add(database, tenant, f"{forge.url}/acme/{name}.git", name) for name in ("main", "other", "third")]
    for name in ("main", "third"):
        cli(f"acme/{name}", "--forge", "gitea", "--api", forge.url)
    assert "no token has" in cli("acme/other", "--forge", "gitea", code=1, token="t\u00f6ken\u2026")
    vault = Settings(skypanel_keys=SecretStr(KEYS)).vault
    place = ForgePlace(
        str(tenant.organization), rows[1], str(uuid4()), f"{forge.url}/acme/other.git", "gitea", forge.url
    )
    with database.connect("panel") as conn:
        sealed = vault.sealed(data_key(conn, vault, place.organization_id), place, "t\u2026ken".encode())
    database.execute(
        "INSERT INTO skypanel.source_forges (id, source_id, forge, api, key_id, ciphertext)"
        " VALUES (%s, %s, 'gitea', %s, %s, %s)", place.id, rows[1], forge.url, *sealed, role="panel",
    )  # fmt: skip
    for row in rows:
        look(database, row, COMMIT)
    async with leading(database, forge.authority) as (said, _):
        await said.say()
        assert len(forge.states()) == 2
        assert await said.say() == 0, "it waits, as all that could not be said"
    (problem,) = problems(database)
    assert "the token is none that a header can have" in problem
