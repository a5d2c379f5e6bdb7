"""Keys: which are here and needed, a rotation that can be cut short, and that a lost one is said at the start."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from structlog.testing import capture_logs

from controller.actions import keys
from controller.actions.doctor.database import keys_check
from controller.cli import main
from controller.cli.errors import ExitCode
from controller.declared.sealing import Owner, data_key, put
from controller.postgres.database import Database as Connections
from controller.settings import Settings
from controller.store.key_watch import KeyWatch
from controller.telemetry.metrics import DATA_KEYS_UNAVAILABLE
from controller.vault.keyring import Keyring, generate
from controller.vault.vault import KeyUnavailable, Vault
from tests.store.conftest import Database, Tenant, make_tenant

pytestmark = pytest.mark.anyio
OLD, NEW = generate(), generate()
BEFORE, BOTH, AFTER = (Vault(Keyring(text=text)) for text in (OLD, f"{NEW},{OLD}", NEW))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def id_of(vault: Vault) -> str:
    current = vault.keyring.current()
    assert current is not None
    return current.id


@pytest.fixture
def panel(database: Database) -> Iterator[psycopg.Connection]:
    with database.connect("panel") as conn:
        yield conn


@pytest.fixture
def owner(tenant: Tenant, panel: psycopg.Connection) -> Owner:
    """Whose variable A is set, under the old key."""
    owner = Owner(str(tenant.organization), "environment", str(tenant.environment))
    put(panel, BEFORE, owner, "A", b"value")
    return owner


def wrapped_under(database: Database) -> dict[str, int]:
    return dict(database.execute("SELECT kek_id, count(*) FROM skypanel.data_keys GROUP BY 1"))


@pytest.mark.usefixtures("owner")
def test_keys_are_current_old_or_missing(panel: psycopg.Connection) -> None:
    old, new = id_of(BEFORE), id_of(BOTH)
    assert keys.status(panel, BOTH.keyring) == [keys.KeyState(new, "current", 0), keys.KeyState(old, "old", 1)]
    assert keys.status(panel, AFTER.keyring) == [keys.KeyState(new, "current", 0), keys.KeyState(old, "missing", 1)]
    assert keys.status(panel, Keyring()) == [keys.KeyState(old, "missing", 1)]


def test_a_rotation_touches_data_keys_and_nothing_else(
    database: Database, panel: psycopg.Connection, owner: Owner
) -> None:
    written = "SELECT ciphertext, version, generation, updated_at FROM skypanel.config_vars"
    before = database.execute(written)
    generation = database.one("SELECT generation FROM paas_environments")
    assert keys.rotate(panel, BOTH) == keys.Rotation(id_of(AFTER), 1, ())
    assert keys.rotate(panel, BOTH).rewrapped == 0
    assert database.execute(written) == before
    assert database.one("SELECT generation FROM paas_environments") == generation
    assert data_key(panel, AFTER, owner.organization_id).kek_id == id_of(AFTER)
    assert put(panel, AFTER, owner, "A", b"other") == 2, "the old key is not needed any more"


def test_a_key_that_is_missing_keeps_its_own_and_the_others_are_done(
    database: Database, panel: psycopg.Connection, owner: Owner
) -> None:
    lost = Vault(Keyring(text=generate()))
    data_key(panel, lost, str(make_tenant(database, organization="globex").organization))
    done = keys.rotate(panel, BOTH)
    assert (done.rewrapped, done.left) == (1, (f"key {id_of(lost)} is missing",))
    assert wrapped_under(database) == {id_of(BOTH): 1, id_of(lost): 1}
    with pytest.raises(KeyUnavailable):
        keys.rotate(panel, Vault())
    assert data_key(panel, AFTER, owner.organization_id).kek_id == id_of(AFTER)


def test_two_rotations_at_once_do_each_data_key_once(database: Database, panel: psycopg.Connection) -> None:
    for number in range(250):
        organization = database.one(
            "WITH u AS (INSERT INTO users (email, password_hash, name) VALUES (%s, 'x', 'x') RETURNING id),"
            " o AS (INSERT INTO organizations (name, slug, owner_id) SELECT %s, %s, id FROM u RETURNING id)"
            " SELECT id FROM o",
            f"{number}@example.com", f"o{number}", f"o{number}",
        )  # fmt: skip
        database.execute("INSERT INTO paas_organizations (organization_id) VALUES (%s)", organization)
        assert isinstance(organization, UUID)
        data_key(panel, BEFORE, str(organization))
    done: list[int] = []

    def rotate() -> None:
        with database.connect("panel") as conn:
            done.append(keys.rotate(conn, BOTH).rewrapped)

    both = [threading.Thread(target=rotate) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sum(done) == 250
    assert wrapped_under(database) == {id_of(AFTER): 250}


@pytest.mark.usefixtures("owner")
async def test_a_lost_key_is_said_at_the_start_and_once(database: Database) -> None:
    connections = Connections(database.dsn("controller"), connections=2)
    await connections.open()
    try:
        with capture_logs() as logs:
            assert await KeyWatch(connections, BEFORE).look() == ""
            assert DATA_KEYS_UNAVAILABLE._value.get() == 0
            lost = KeyWatch(connections, AFTER)
            assert id_of(BEFORE) in await lost.look()
            await lost.look()
            assert DATA_KEYS_UNAVAILABLE._value.get() == 1
            assert "no key is: set SKYPANEL_KEYS" in await KeyWatch(connections, Vault()).look()
            assert "a file that is not there" in await KeyWatch(connections, Vault(Keyring(Path("/nowhere")))).look()
        said = [entry for entry in logs if entry["event"] == "keys.missing"]
        assert [entry["log_level"] for entry in said] == ["error"] * 3
        database.execute("UPDATE skypanel.config_vars SET key_id = 'panel'", role="panel")
        assert "SSH_CRED_SECRET" in await KeyWatch(connections, BEFORE).look()
        assert await KeyWatch(connections, Vault(BEFORE.keyring, "x" * 16)).look() == ""
    finally:
        await connections.close()


@pytest.mark.parametrize(
    ("text", "level", "said"),
    [(OLD, "ok", "is current"), (NEW, "fail", "are missing"), ("", "fail", "are missing"), ("x", "fail", "is no key")],
)
@pytest.mark.usefixtures("owner")
def test_doctor_says_which_key_is_missing(panel: psycopg.Connection, text: str, level: str, said: str) -> None:
    found = keys_check(panel, Settings.model_validate({"skypanel_keys": text}))
    assert (found.level, said in found.message) == (level, True)


def test_doctor_asks_for_no_key_where_none_is_needed(panel: psycopg.Connection, tenant: Tenant) -> None:
    assert keys_check(panel, Settings()).level == "ok"


@pytest.mark.usefixtures("owner")
def test_the_commands_make_a_key_show_it_and_rotate_to_it(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
    assert main(["keys", "generate"]) == ExitCode.OK
    line = capsys.readouterr().out
    file = tmp_path / "keys"
    file.touch(mode=0o600)
    file.write_text(line)
    monkeypatch.setenv("SKYPANEL_KEY_FILE", str(file))
    assert main(["keys", "status"]) == ExitCode.CHANGES
    shown = capsys.readouterr()
    assert id_of(BEFORE) in shown.out
    assert main(["keys", "rotate"]) == ExitCode.CHANGES
    assert f"key {id_of(BEFORE)} is missing" in capsys.readouterr().err
    file.write_text(f"{line}{OLD}\n")
    assert main(["keys", "rotate"]) == ExitCode.OK
    assert "1 data key put under key" in capsys.readouterr().out
    file.write_text(line)
    assert main(["keys", "status", "-o", "json"]) == ExitCode.OK
    file.write_text("wrong\n")
    assert main(["keys", "status"]) == ExitCode.ERROR
    said = capsys.readouterr()
    assert f"{file}:1: this is no key" in said.err
    assert line.strip() not in said.out + said.err
