"""The chain of the audit: what was changed in it, taken from it or cut off is found, and the oldest goes by its age."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest

from controller.actions import audit
from controller.actions.audit import Anchor, BrokenChain, hash_of, verify
from controller.actions.doctor.database import audit_check
from controller.actions.errors import ActionError
from controller.cli.application import main
from controller.loop.retention import STEPS
from controller.postgres.database import Database as AsyncDatabase
from controller.schema import migrate
from controller.store import audit_sealing
from tests.store.conftest import Database, Tenant
from tests.store.test_migrations import panel

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def skypanel(database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command as a role; exit code, output and errors."""

    def run(*arguments: str, role: str = "skypanel_owner") -> tuple[int, str, str]:
        monkeypatch.setenv("DATABASE_URL", database.dsn(role))
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def chain(database: Database, tenant: Tenant) -> Database:
    """Twelve entries, all sealed."""
    for number in range(8):
        database.execute("UPDATE paas_environments SET instances = %s", number + 2, role="panel")
    assert database.one("SELECT skypanel.seal_audit(100)", role="controller") == 12
    return database


@contextmanager
def forging(database: Database) -> Iterator[psycopg.Connection]:
    """As who has the rights of the schema's owner, and takes the triggers away."""
    owner = database.session("skypanel_owner")
    owner.execute("ALTER TABLE skypanel.audit_log DISABLE TRIGGER audit_log_keep")
    yield owner
    owner.execute("ALTER TABLE skypanel.audit_log ENABLE TRIGGER audit_log_keep")


def broken(database: Database, anchor: Anchor | None = None) -> int:
    with database.connect("reader") as conn, pytest.raises(BrokenChain) as found:
        verify(conn, anchor)
    return found.value.position


def test_a_chain_as_it_was_written_fits_and_its_hashes_are_what_the_docs_say(chain: Database) -> None:
    with chain.connect("reader") as conn:
        found = verify(conn)
    assert (found.first, found.last.position, found.unsealed) == (1, 12, 0)
    first, second = chain.execute(
        "SELECT encode(previous, 'hex'), encode(hash, 'hex'), entry::text FROM skypanel.audit_log ORDER BY position"
        " LIMIT 2"
    )
    assert first[:2] == ("0" * 64, hash_of("0" * 64, 1, first[2]))
    assert second[:2] == (first[1], hash_of(first[1], 2, second[2]))


FORGERIES = {
    "UPDATE skypanel.audit_log SET entry = jsonb_set(entry, '{actor}', '\"nobody\"') WHERE position = 5": 5,
    "UPDATE skypanel.audit_log SET hash = sha256('x') WHERE position = 5": 5,
    "UPDATE skypanel.audit_log SET previous = sha256('x') WHERE position = 5": 5,
    "DELETE FROM skypanel.audit_log WHERE position = 5": 5,
    "DELETE FROM skypanel.audit_log WHERE position <= 5": 6,
    "DELETE FROM skypanel.audit_log WHERE position >= 11": 11,
    "DELETE FROM skypanel.audit_log": 1,
    "UPDATE skypanel.audit_log SET position = -position WHERE position = 12": 12,
}


def test_what_was_forged_is_found_at_its_first_entry(chain: Database) -> None:
    with forging(chain) as owner:
        owner.execute("CREATE TABLE saved AS SELECT * FROM skypanel.audit_log")
        for forgery, found in FORGERIES.items():
            owner.execute(forgery.encode())
            assert broken(chain) == found, forgery
            owner.execute("DELETE FROM skypanel.audit_log")
            owner.execute("INSERT INTO skypanel.audit_log SELECT * FROM saved")
    with chain.connect("reader") as conn:
        assert verify(conn).last.position == 12


def test_another_chain_that_fits_by_itself_is_not_the_one_that_was_noted(chain: Database) -> None:
    with chain.connect("reader") as conn:
        noted = verify(conn).last
    with forging(chain) as owner:  # with all hashes made anew
        rows = owner.execute("SELECT position, entry FROM skypanel.audit_log ORDER BY position").fetchall()
        owner.execute("DELETE FROM skypanel.audit_log")
        owner.execute("UPDATE skypanel.audit_head SET position = 0, hash = decode(repeat('00', 32), 'hex')")
        for _, entry in rows:
            if entry["kind"] != "plan":
                forged = json.dumps({**entry, "actor": "nobody"})
                owner.execute("INSERT INTO skypanel.audit_unsealed (entry) VALUES (%s)", [forged])
        owner.execute("SELECT skypanel.seal_audit(100)")
    with chain.connect("reader") as conn:
        assert verify(conn).last.position == 11
    assert broken(chain, noted) == 12
    assert broken(chain, Anchor(7, noted.hash)) == 7


def test_a_chain_whose_end_was_cut_off_with_its_head_is_shorter_than_was_noted(chain: Database) -> None:
    with chain.connect("reader") as conn:
        noted = verify(conn).last
    with forging(chain) as owner:
        owner.execute("DELETE FROM skypanel.audit_log WHERE position > 10")
        owner.execute(
            "UPDATE skypanel.audit_head h SET position = l.position, hash = l.hash FROM skypanel.audit_log l"
            " WHERE l.position = 10"
        )
    with chain.connect("reader") as conn:
        assert verify(conn).last.position == 10
    assert broken(chain, noted) == 11


def age(database: Database, through: int, days: int) -> None:
    """Makes a chain whose first entries are older; nothing else makes them old."""
    with forging(database) as owner:
        rows = owner.execute("SELECT position, entry FROM skypanel.audit_log ORDER BY position").fetchall()
        owner.execute("DELETE FROM skypanel.audit_log")
        owner.execute("UPDATE skypanel.audit_head SET position = 0, hash = decode(repeat('00', 32), 'hex')")
        for position, entry in rows:
            if position <= through:
                (old,) = owner.execute(
                    "SELECT to_char((%s::timestamptz - make_interval(days => %s)) AT TIME ZONE 'UTC',"
                    ' \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')',
                    [entry["at"], days],
                ).fetchone() or ("",)
                entry["at"] = old
            owner.execute("INSERT INTO skypanel.audit_unsealed (entry) VALUES (%s)", [json.dumps(entry)])
        owner.execute("SELECT skypanel.seal_audit(1000)")


def test_the_oldest_go_by_their_age_and_the_rest_still_fits(chain: Database) -> None:
    age(chain, 5, 40)
    with chain.connect("reader") as conn:
        noted = verify(conn).last
    prune = "SELECT skypanel.prune_audit(30, 3)"
    assert [chain.one(prune, role="controller") for _ in range(3)] == [3, 2, 0]
    assert "audit" in STEPS
    with chain.connect("reader") as conn:
        found = verify(conn, noted)
        assert (found.first, found.last.position) == (6, 14)
        with pytest.raises(ActionError, match="oldest that is kept is 6"):
            verify(conn, Anchor(3, "0" * 64))
    last = chain.one("SELECT entry FROM skypanel.audit_log WHERE position = 14")
    assert (last["did"], last["actor"], last["pruned"]["through"], last["pruned"]["entries"]) == (
        "pruned",
        "controller",
        5,
        2,
    )
    with forging(chain) as owner:  # who takes more than went by its age
        owner.execute("DELETE FROM skypanel.audit_log WHERE position = 6")
    assert broken(chain) == 7


def test_of_a_day_that_is_not_over_yet_nothing_goes(chain: Database) -> None:
    age(chain, 12, 29)
    assert chain.one("SELECT skypanel.prune_audit(30, 100)", role="controller") == 0


def test_a_controller_seals_what_is_committed(database: Database, tenant: Tenant) -> None:
    async def seal() -> None:
        one = AsyncDatabase(database.dsn("controller"), connections=1)
        await one.open()
        with anyio.move_on_after(1.0):
            await audit_sealing.keep_sealed(one)
        await one.close()

    assert database.one("SELECT position FROM skypanel.audit_head") == 0
    anyio.run(seal)
    assert database.one("SELECT position FROM skypanel.audit_head") == 4
    assert database.one("SELECT count(*) FROM skypanel.audit_unsealed") == 0


def test_the_activity_of_a_panel_has_its_form(empty: Database) -> None:
    panel(empty, "then", role="postgres")
    with empty.connect("postgres") as conn:
        conn.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO skypanel_owner")
    with empty.connect() as conn:
        migrate.apply(conn)
    form = (
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert empty.execute(form, "skypanel.activity") == empty.execute(form, "public.activity_logs")
    user, org = empty.execute("SELECT owner_id, id FROM organizations LIMIT 1")[0]
    with empty.session("interface").transaction():
        for name, said in (("actor", str(user)), ("means", "jwt"), ("address", "192.0.2.7")):
            empty.execute("SELECT set_config('skypanel.' || %s, %s, true)", name, said, role="interface")
        made = "INSERT INTO paas_apps (organization_id, name, slug) VALUES (%s, 'Shop', 'shop')"
        empty.execute(made, org, role="interface")
    empty.execute("INSERT INTO paas_plans (name, cpu_limit, memory_mb) VALUES ('p', 1, 64)", role="panel")
    empty.execute("SELECT skypanel.seal_audit(100)", role="controller")
    empty.execute("INSERT INTO activity_logs SELECT * FROM skypanel.activity", role="postgres")  # its checks hold
    found = empty.execute(
        "SELECT user_id, event_type, entity_type, status, ip_address FROM skypanel.activity ORDER BY created_at",
        role="panel",
    )
    assert found[-2:] == [
        (user, "paas.app.created", "app", "success", "192.0.2.7"),
        (None, "paas.plan.created", "system", "success", None),
    ]


def test_an_export_goes_on_where_it_ended_and_can_be_verified_without_a_database(
    chain: Database, skypanel: Run, tmp_path: Path
) -> None:
    code, out, err = skypanel("audit", "export", role="reader")
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["position"] for line in lines] == list(range(1, 13))
    assert lines[-1]["entry"]["changes"] == {"instances": [8, 9]}
    _, rest, _ = skypanel("audit", "export", "--after", "9", role="reader")
    assert rest.splitlines() == out.splitlines()[9:]
    file = tmp_path / "audit.jsonl"
    file.write_text(out)
    head = f"12:{lines[-1]['hash']}"
    assert skypanel("audit", "verify", "--file", str(file), "--head", head) == (
        0,
        f"12 entries as written, from 1 to {head}\n",
        "",
    )
    file.write_text(out.replace("[7, 8]", "[7, 5]"))
    code, _, err = skypanel("audit", "verify", "--file", str(file))
    assert (code, "does not fit from entry 11 on" in err) == (1, True)
    file.write_text("nothing\n")
    code, _, err = skypanel("audit", "verify", "--file", str(file))
    assert (code, "no line of `skypanel audit export`" in err) == (1, True)


def test_verify_says_what_does_not_fit_and_ends_with_1(chain: Database, skypanel: Run) -> None:
    chain.execute("UPDATE paas_environments SET instances = 1", role="panel")
    code, out, err = skypanel("audit", "verify", role="reader")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("12 entries as written, from 1 to 12:")
    assert out.splitlines()[1] == "1 more have no place in the chain yet"
    with forging(chain) as owner:
        owner.execute("UPDATE skypanel.audit_log SET entry = entry - 'actor' WHERE position = 3")
    code, out, err = skypanel("audit", "verify", role="reader")
    assert (code, out) == (1, "")
    assert "the audit does not fit from entry 3 on: entry 3 is not as it was written" in " ".join(err.split())


def test_doctor_tells_a_broken_chain_and_one_that_nobody_goes_on_with(chain: Database) -> None:
    with chain.connect("reader") as conn:
        assert audit_check(conn).level == "ok"
        chain.execute(
            "INSERT INTO skypanel.audit_unsealed (entry)"
            " VALUES (jsonb_build_object('at', '2026-01-01T00:00:00.000000Z', 'did', 'changed'))"
        )
        late = audit_check(conn)
        assert (late.level, "skypanel up" in late.mend) == ("warn", True)
        with forging(chain) as owner:
            owner.execute("DELETE FROM skypanel.audit_log WHERE position = 4")
        lost = audit_check(conn)
        assert (lost.level, "entry 4 is missing" in lost.message) == ("fail", True)


def listed(skypanel: Run, *arguments: str) -> list[dict[str, Any]]:
    code, out, err = skypanel("audit", "list", "-o", "json", *arguments, role="reader")
    assert (code, err) == (0, "")
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_the_list_is_narrowed_by_what_who_and_when(chain: Database, skypanel: Run) -> None:
    with chain.session("panel").transaction():
        chain.execute("SELECT set_config('skypanel.actor', 'ada', true)", role="panel")
        chain.execute("UPDATE paas_apps SET name = 'Shop 2'", role="panel")
    everything = listed(skypanel)
    assert [entry["position"] for entry in everything] == [None, *range(12, 0, -1)]
    assert {entry["kind"] for entry in listed(skypanel, "-n", "acme")} == {"organization", "app", "environment"}
    assert listed(skypanel, "-n", "nobody") == []
    assert {entry["path"] for entry in listed(skypanel, "env", "acme/shop")} == {"acme/shop/production"}
    assert [entry["did"] for entry in listed(skypanel, "app")] == ["changed", "created"]
    assert [entry["kind"] for entry in listed(skypanel, "--actor", "ada")] == ["app"]
    assert len(listed(skypanel, "--actor", "panel")) == 13
    assert len(listed(skypanel, "--since", "1h")) == 13
    assert len(listed(skypanel, "--since", "7d")) == 13  # as its help has it
    assert listed(skypanel, "--since", "2099-01-01") == []
    assert len(listed(skypanel, "--limit", "2")) == 2
    code, out, _ = skypanel("audit", "list", "--limit", "1", role="panel")
    assert (code, "ada (panel)" in out, "name Shop -> Shop 2" in out) == (0, True, True)
    code, _, err = skypanel("audit", "list", "--since", "yesterday")
    assert (code, "is no time" in err) == (1, True)


def test_what_is_refused_is_on_record_and_a_plan_is_no_attempt(
    database: Database, tenant: Tenant, skypanel: Run, tmp_path: Path
) -> None:
    file = tmp_path / "app.yaml"
    file.write_text("apiVersion: skypanel.io/v1\nkind: App\nmetadata: {name: shop, organization: nobody}\nspec: {}\n")
    code, _, err = skypanel("apply", "-f", str(file), role="panel")
    assert code == 1, err
    (entry,) = [e for e in listed(skypanel) if e["did"] == "refused"]
    assert (entry["tried"], entry["kind"], entry["path"]) == ("apply", "app", "nobody/shop")
    assert "nobody does not exist" in entry["message"]
    assert entry["said"]["means"] == "cli"
    skypanel("plan", "-f", str(file), role="panel")
    assert len([e for e in listed(skypanel) if e["did"] == "refused"]) == 1
    code, _, _ = skypanel("pause", "environment", "acme/shop/production", role="reader")
    assert code == 1
    refused = next(e for e in listed(skypanel) if e["did"] == "refused")
    assert (refused["tried"], refused["session_user"]) == ("pause", "reader")
    assert "permission denied" in refused["message"]


def test_who_says_no_more_than_that_he_was_refused_cannot_say_that_something_was_done(
    database: Database, tenant: Tenant
) -> None:
    call = "SELECT skypanel.record_refusal('x', 'app', 'acme/shop', '\"did\": \"pruned\"')"
    database.execute(call, role="panel")
    database.execute("SELECT skypanel.seal_audit(100)", role="controller")
    entry = database.one("SELECT entry FROM skypanel.audit_log ORDER BY position DESC LIMIT 1")
    assert (entry["did"], entry["session_user"], entry["organization"]) == (
        "refused",
        "panel",
        str(tenant.organization),
    )
    with database.connect("reader") as conn:
        assert verify(conn).last.position == 5


def test_what_is_no_position_with_its_hash_is_refused() -> None:
    with pytest.raises(ActionError):
        Anchor.of("12")
    assert audit.since("") is None
