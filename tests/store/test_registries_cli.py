"""``skypanel registries`` on a real database: a password goes in, and never comes back."""

from __future__ import annotations

import base64
import hmac
import io
import json
import os
import sys
from collections.abc import Callable

import pytest

from controller.actions.doctor.database import registries_check
from controller.cli import main
from controller.cli.errors import ExitCode
from controller.loop.logins import StoredLogins
from controller.postgres.database import Database as Connections
from controller.store.lease import Lease
from controller.store.state import StateStore
from controller.vault.keyring import Keyring
from controller.vault.vault import Vault
from reconcilers.logins import Login
from reconcilers.outcomes import ConflictError, NotReadyError, ReconcileError, TerminalError
from tests.store.conftest import Database, Tenant
from tests.unit.vault.test_vault import of_the_panel

pytestmark = pytest.mark.anyio

Run = Callable[..., str]
PASSWORD = "p4ssw0rd-not-to-be-seen"
REGISTRY = "registry.example.com:5000"
KEYS = base64.b64encode(os.urandom(32)).decode()
SECRET = "the panel's secret of the tests"


@pytest.fixture
def run(database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``skypanel registries VERB acme ...`` as the panel, expect an exit code, get what it printed."""
    monkeypatch.setenv("SKYPANEL_KEYS", KEYS)

    def command(verb: str, *words: str, stdin: str = "", code: int = ExitCode.OK) -> str:
        monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        ended = main(["registries", verb, slug(database), *words])
        captured = capsys.readouterr()
        assert ended == code, captured.err
        assert PASSWORD not in captured.out + captured.err
        return captured.out + captured.err

    return command


def slug(database: Database) -> str:
    return str(database.one("SELECT slug FROM organizations"))


async def opened(database: Database, *, keys: str = KEYS, revision: str | None = None) -> Login | ReconcileError:
    """What the controller makes of the only row."""
    row_id, now = database.execute("SELECT id::text, revision::text FROM caas_registry_credentials")[0]
    connections = Connections(database.dsn("controller"), connections=2)
    await connections.open()
    try:
        store = StateStore(connections, Lease(connections, "blue", 30), kinds=())
        return await StoredLogins(store, Vault(Keyring(text=keys), SECRET)).of(row_id, revision or now)
    except ReconcileError as error:
        return error
    finally:
        await connections.close()


async def test_a_password_is_sealed_for_its_row_and_opened_by_the_controller_alone(
    database: Database, run: Run
) -> None:
    assert "(version 1)" in run("set", REGISTRY, "--username", "ada", stdin=PASSWORD + "\n")
    run("set", REGISTRY, "--username", "bob", stdin=PASSWORD)
    (found,) = json.loads(run("list", "-o", "json"))
    assert (found["username"], found["password"], found["version"], found["reason"]) == ("bob", "set", 2, None)
    assert await opened(database) == Login(REGISTRY, "bob", PASSWORD)
    dumped = database.execute("SELECT c::text, encode(c.ciphertext, 'escape') FROM caas_registry_credentials c")
    assert PASSWORD not in repr(dumped)
    run("unset", REGISTRY)
    assert "no user of a registry is set" in run("list")
    assert "has no user for" in run("unset", REGISTRY, code=ExitCode.ERROR)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE caas_registry_credentials SET username = 'eve'",
        "UPDATE caas_registry_credentials SET registry = 'evil.example.com'",
        "UPDATE caas_registry_credentials SET version = version, ciphertext = ciphertext || '\\x00'",
    ],
)
async def test_a_ciphertext_is_good_for_its_own_registry_user_and_version(
    database: Database, run: Run, change: str
) -> None:
    run("set", REGISTRY, "--username", "ada", stdin=PASSWORD)
    database.execute(change)
    found = await opened(database)
    assert isinstance(found, TerminalError)
    assert found.reason == "PasswordUnreadable"
    assert "set it again" in found.message


async def test_a_ciphertext_of_another_organization_opens_nothing(database: Database, run: Run) -> None:
    run("set", REGISTRY, "--username", "ada", stdin=PASSWORD)
    other = database.one(
        "INSERT INTO organizations (name, slug, owner_id) SELECT 'Beta', 'beta', id FROM users RETURNING id"
    )
    database.execute("INSERT INTO paas_organizations (organization_id) VALUES (%s)", other)
    database.execute("UPDATE caas_registry_credentials SET organization_id = %s", other)
    found = await opened(database)
    assert isinstance(found, TerminalError)
    assert found.reason == "PasswordUnreadable"


async def test_a_key_that_is_not_here_and_a_row_that_has_changed_are_told(database: Database, run: Run) -> None:
    run("set", REGISTRY, "--username", "ada", stdin=PASSWORD)
    found = await opened(database, keys=base64.b64encode(os.urandom(32)).decode())
    assert isinstance(found, NotReadyError)
    assert found.reason == "KeyUnavailable"
    assert isinstance(await opened(database, revision="0" * 8), ConflictError)


async def test_what_the_panel_sealed_is_opened(database: Database, run: Run, tenant: Tenant) -> None:
    key = hmac.digest(SECRET.encode(), str(tenant.organization).encode(), "sha256")
    sealed = of_the_panel(key, PASSWORD.encode())
    database.execute(
        "INSERT INTO caas_registry_credentials (organization_id, registry, username, ciphertext, key_id)"
        " VALUES (%s, 'ghcr.io', 'ada', %s, 'panel-org')",
        tenant.organization,
        sealed,
        role="panel",
    )
    assert await opened(database) == Login("ghcr.io", "ada", PASSWORD)


def test_what_a_panel_wrote_before_stays_and_is_told_to_have_no_password(database: Database, run: Run) -> None:
    database.execute(
        "INSERT INTO caas_registry_credentials (organization_id, registry, username, secret_ref)"
        " SELECT id, 'ghcr.io', 'ada', 'vault/acme' FROM organizations",
        role="panel",
    )
    assert json.loads(run("list", "-o", "json"))[0]["password"] == "not set"
    run("set", "ghcr.io", "--username", "ada", stdin=PASSWORD)
    assert database.one("SELECT secret_ref FROM caas_registry_credentials") == "vault/acme"


def test_another_password_is_another_revision_of_its_organization_s_environments(
    database: Database, run: Run, tenant: Tenant
) -> None:
    def seen() -> tuple[int, object]:
        generation = database.one("SELECT generation FROM paas_environments")
        return generation, database.one("SELECT doc -> 'registries' FROM skypanel.snapshot_environment")

    generation, registries = seen()
    assert registries is None
    run("set", REGISTRY, "--username", "ada", stdin=PASSWORD)
    after, registries = seen()
    assert after > generation
    run("set", REGISTRY, "--username", "ada", stdin=PASSWORD)
    later, other = seen()
    assert later > after
    assert other != registries
    database.execute("UPDATE caas_registry_credentials SET updated_at = now()")
    assert seen() == (later, other)
    run("unset", REGISTRY)
    assert seen()[0] > later
    assert seen()[1] is None


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (("registry", "--username", "ada"), PASSWORD, "is not a registry"),
        (("https://ghcr.io", "--username", "ada"), PASSWORD, "is not a registry"),
        (("ghcr.io/team", "--username", "ada"), PASSWORD, "is not a registry"),
        (("ghcr.io", "--username", "a:b"), PASSWORD, "is not a user name"),
        (("ghcr.io", "--username", "ada"), "", "the password is empty"),
        (("ghcr.io", "--username", "ada"), f"{PASSWORD}\nmore\n", "characters that no password has"),
        (("ghcr.io", "--username", "ada", "--from", "/not/there"), "", "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_write_instead(
    database: Database, run: Run, words: tuple[str, ...], given: str, said: str
) -> None:
    assert said in run("set", *words, stdin=given, code=ExitCode.ERROR)
    assert not database.execute("SELECT FROM caas_registry_credentials")


def test_doctor_names_users_that_a_registry_does_not_take(database: Database, run: Run) -> None:
    run("set", REGISTRY, "--username", "ada", stdin=PASSWORD)
    with database.connect("reader") as conn:
        assert registries_check(conn).level == "ok", "nobody has looked at it"
        database.execute(
            "INSERT INTO skypanel.object_status (kind, id, observed_generation, ready, reason, message, epoch)"
            " SELECT kind, id, generation, false, 'LoginRefused', 'it takes no ada', 1"
            " FROM skypanel.objects WHERE kind = 'registry'"
        )
        found = registries_check(conn)
    assert found.level == "warn"
    assert found.message.startswith("of 1 users of them that organizations have, 1 are not ready: ")
    assert f"/{REGISTRY} (it takes no ada)" in found.message
