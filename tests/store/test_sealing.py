"""Values sealed into rows and opened from them, at no place but their own, whoever else writes at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from controller.declared.sealing import Owner, data_key, put, remove
from controller.vault.keyring import Keyring, generate
from controller.vault.sealed import DataKey, Place, Sealed
from controller.vault.vault import ConfigUnreadable, KeyUnavailable, Vault
from specs.problems import RefusedError
from tests.store.conftest import Database, Tenant

VAULT = Vault(Keyring(text=generate()))


@pytest.fixture
def panel(database: Database) -> Iterator[psycopg.Connection]:
    with database.connect("panel") as conn:
        yield conn


@pytest.fixture
def owner(tenant: Tenant) -> Owner:
    return Owner(str(tenant.organization), "environment", str(tenant.environment))


def opened(database: Database, owner: Owner) -> dict[str, bytes]:
    """What the controller reads, by name."""
    key = DataKey(
        *database.execute("SELECT id::text, organization_id::text, kek_id, wrapped FROM skypanel.data_keys")[0]
    )
    rows = database.execute(
        "SELECT id::text, name, version, key_id, ciphertext FROM skypanel.config_vars WHERE deleted_at IS NULL",
        role="controller",
    )
    return {
        name: VAULT.open(
            Sealed(Place(owner.organization_id, owner.layer, owner.id, row, name, version), key_id, text), key
        )
        for row, name, version, key_id, text in rows
    }


def test_a_value_is_bound_to_the_version_that_its_row_has(
    database: Database, panel: psycopg.Connection, owner: Owner
) -> None:
    assert [put(panel, VAULT, owner, "A", value) for value in (b"one", b"", b"\xff\n'$")] == [1, 2, 3]
    put(panel, VAULT, owner, "B", b"x", as_file=True)
    assert opened(database, owner) == {"A": b"\xff\n'$", "B": b"x"}
    database.execute("UPDATE skypanel.config_vars SET as_file = true")
    assert opened(database, owner)["A"] == b"\xff\n'$", "the version is the same"


def test_an_older_ciphertext_that_is_put_back_does_not_open(
    database: Database, panel: psycopg.Connection, owner: Owner
) -> None:
    put(panel, VAULT, owner, "A", b"old")
    old = database.one("SELECT ciphertext FROM skypanel.config_vars", role="controller")
    put(panel, VAULT, owner, "A", b"new")
    database.execute("UPDATE skypanel.config_vars SET ciphertext = %s", old, role="panel")
    with pytest.raises(ConfigUnreadable):
        opened(database, owner)


def test_what_was_unset_is_another_row_when_it_is_set_again(
    database: Database, panel: psycopg.Connection, owner: Owner
) -> None:
    put(panel, VAULT, owner, "A", b"one")
    assert remove(panel, owner, ["A", "B"]) == ["A"]
    assert remove(panel, owner, ["A"]) == []
    assert put(panel, VAULT, owner, "A", b"two") == 1
    assert opened(database, owner) == {"A": b"two"}


def test_many_writers_of_one_new_name_and_one_new_key_end_with_one_of_their_values(
    database: Database, owner: Owner
) -> None:
    failed: list[BaseException] = []
    begin = threading.Barrier(6)

    def write(number: int) -> None:
        try:
            with database.connect("panel") as conn:
                begin.wait()
                for turn in range(4):
                    put(conn, VAULT, owner, f"NAME_{turn}", f"{number}".encode())
        except BaseException as error:  # noqa: BLE001 - told by the test
            failed.append(error)

    writers = [threading.Thread(target=write, args=[number]) for number in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    found = opened(database, owner)
    assert len(found) == 4
    assert set(found.values()) <= {f"{number}".encode() for number in range(6)}
    assert database.execute("SELECT DISTINCT version FROM skypanel.config_vars") == [(6,)]
    assert database.one("SELECT count(*) FROM skypanel.data_keys") == 1


def test_what_is_refused_leaves_nothing_and_is_not_told(panel: psycopg.Connection, owner: Owner) -> None:
    with pytest.raises(RefusedError):
        put(panel, VAULT, owner, "PORT", b"1")
    with pytest.raises(RefusedError) as refused:
        put(panel, VAULT, owner, "A", b"planted\0")
    assert "planted" not in str(refused.value)
    with pytest.raises(KeyUnavailable):
        put(panel, Vault(), owner, "A", b"x")
    assert panel.execute("SELECT count(*) FROM skypanel.config_vars").fetchone() == (0,)
    key = data_key(panel, VAULT, owner.organization_id)
    assert data_key(panel, Vault(), owner.organization_id) == key, "it is there: no key is needed to read it"
    with pytest.raises(KeyUnavailable, match=key.kek_id):
        put(panel, Vault(Keyring(text=generate())), owner, "A", b"x")


def test_a_transaction_of_the_callers_sets_all_or_nothing(
    database: Database, panel: psycopg.Connection, owner: Owner
) -> None:
    def both() -> None:
        with panel.transaction():
            put(panel, VAULT, owner, "A", b"x")
            put(panel, VAULT, owner, "1", b"x")

    with pytest.raises(RefusedError):
        both()
    assert database.one("SELECT count(*) FROM skypanel.config_vars") == 0
