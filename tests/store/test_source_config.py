"""Config vars that a source declares are the source's; no value of one is anywhere but sealed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pyrage
import pytest
from pydantic import SecretStr

from controller.cli import main
from controller.settings import Settings
from controller.vault.sealed import DataKey, Place, Sealed
from reconcilers.sources import Declared, SourceError, Taken
from tests.git_server import GitServer
from tests.store.conftest import Database, Tenant, make_tenant
from tests.store.test_source_fields import events, woken
from tests.store.test_sources import KEYS, adapter, add, app, apps, environment, names, prunes, sync, wanted

pytestmark = pytest.mark.anyio
MARK = "m4rk-not-to-be-seen"
AT = "acme/blog/p"


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    git = GitServer(tmp_path / "git")
    yield git
    git.close()


def config(at: str = AT, files: dict[str, str] | None = None, **variables: str) -> str:
    """A document of config vars."""
    metadata = ", ".join(
        f"{layer}: {name}" for layer, name in zip(("organization", "app", "environment"), at.split("/"), strict=False)
    )
    blocks = []
    for field, values in (("variables", variables), ("files", files or {})):
        if values:
            blocks.append(f"  {field}: {{{', '.join(f'{n}: {json.dumps(v)}' for n, v in values.items())}}}\n")
    return f"apiVersion: skypanel.io/v1\nkind: ConfigVars\nmetadata: {{{metadata}}}\nspec:\n{''.join(blocks)}"


def opened(database: Database) -> dict[str, str]:
    """What is set, as tasks would see it, by name."""
    keys = [DataKey(*row) for row in database.execute("SELECT id::text, organization_id::text, kek_id, wrapped"
                                                      " FROM skypanel.data_keys", role="controller")]  # fmt: skip
    vault = Settings(skypanel_keys=SecretStr(KEYS)).vault
    found = {}
    for organization, layer, owner, row, name, version, key_id, ciphertext in database.execute(
        "SELECT n.organization_id::text, n.kind, n.id::text, c.id::text, c.name, c.version, c.key_id, c.ciphertext"
        " FROM skypanel.config_vars c JOIN skypanel.names n ON n.id IN (c.organization_id, c.app_id, c.environment_id)"
        " WHERE c.deleted_at IS NULL",
        role="controller",
    ):
        (key,) = [key for key in keys if key.organization_id == organization]
        place = Place(organization, layer, owner, row, name, version)
        found[name] = vault.open(Sealed(place, key_id, ciphertext), key).decode()
    return found


def versions(database: Database) -> dict[str, tuple[int, bool]]:
    rows = database.execute("SELECT name, version, as_file FROM skypanel.config_vars WHERE deleted_at IS NULL")
    return {name: (version, as_file) for name, version, as_file in rows}


async def test_values_are_sealed_once_and_the_same_again_rolls_out_nothing(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    files = {"CERT": f"{MARK}\n"}
    git.commit({"a.yaml": app("blog"), "b.yaml": environment("p"), "c.yaml": config(LEVEL=MARK, EMPTY="", files=files)})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        first = await sync(database, sources, row)
        assert (first.objects, first.variables, first.doubts) == (2, 3, ())
        assert opened(database) == {"LEVEL": MARK, "EMPTY": "", "CERT": f"{MARK}\n"}
        assert versions(database) == {"LEVEL": (1, False), "EMPTY": (1, False), "CERT": (1, True)}
        of = "SELECT inputs_version, generation FROM paas_environments WHERE name = 'p'"
        before = database.execute(of)
        woken(database)
        git.commit({"readme.txt": "another commit"})
        assert await sync(database, sources, row) == first
        assert (versions(database), database.execute(of)) == (
            {"LEVEL": (1, False), "EMPTY": (1, False), "CERT": (1, True)}, before,
        )  # fmt: skip
        git.commit({"c.yaml": config(LEVEL="other", EMPTY="", CERT=f"{MARK}\n")})
        await sync(database, sources, row)
        assert versions(database) == {"LEVEL": (2, False), "EMPTY": (1, False), "CERT": (2, False)}
        assert woken(database) == 0
        assert events(database, "environment", AT) == [], "another commit takes nothing back"


async def test_what_others_change_of_them_is_taken_back_and_the_rest_is_theirs(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    commit = git.commit({"a.yaml": app("blog"), "b.yaml": environment("p"), "c.yaml": config(LEVEL=MARK)})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        woken(database)
        hand = "INSERT INTO skypanel.config_vars (environment_id, name, ciphertext, key_id) SELECT id, %s, 'x', 'panel'"
        database.execute(f"{hand} FROM paas_environments WHERE name = 'p'", "MINE", role="panel")
        assert woken(database) == 0
        database.execute("UPDATE skypanel.config_vars SET ciphertext = 'y', key_id = 'panel' WHERE name = 'LEVEL'",
                         role="panel")  # fmt: skip
        assert woken(database) == 1, "at once"
        declared = await sync(database, sources, row)
        assert [(t.object, t.fields) for t in declared.taken] == [(f"Environment {AT}", ("config.LEVEL",))]
        assert "(sql)" in declared.taken[0].by
        (said,) = events(database, "environment", AT)
        assert said.endswith(f"(sql) changed the config vars LEVEL: source acme/main at {commit[:19]} took it back")
        for statement in (
            "UPDATE skypanel.config_vars SET deleted_at = now() WHERE name = 'LEVEL' AND deleted_at IS NULL",
            "DELETE FROM skypanel.config_vars WHERE name = 'LEVEL' AND deleted_at IS NULL",
        ):
            woken(database)
            database.execute(statement, role="panel")
            assert woken(database) == 1
            assert len((await sync(database, sources, row)).taken) == 1
        database.execute("DELETE FROM skypanel.config_vars WHERE name = 'MINE'", role="panel")
        assert opened(database) == {"LEVEL": MARK}
        database.execute("UPDATE skypanel.config_vars SET key_id = 'panel' WHERE name = 'LEVEL'", role="panel")
        assert woken(database) == 0, "a writer who goes on waits for the interval"
        assert (await sync(database, sources, row)).contested[0].fields == ("config.LEVEL",)


async def test_a_variable_that_is_declared_no_longer_stays_or_goes_with_prune(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    both = config(OLD=MARK, LEVEL="a")
    git.commit({"a.yaml": app("blog"), "b.yaml": environment("p"), "c.yaml": both})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        git.commit({"c.yaml": config(LEVEL="a")})
        assert (await sync(database, sources, row)).unset == 0
        assert set(versions(database)) == {"OLD", "LEVEL"}
        prunes(database, row)
        assert (await sync(database, sources, row)).unset == 0, "it was nobody's before prune was set"
        git.commit({"c.yaml": both})
        await sync(database, sources, row)
        git.commit({"c.yaml": config(LEVEL="a") + "---\nkind: x\n"})
        with pytest.raises(SourceError):
            await sync(database, sources, row)
        assert set(versions(database)) == {"OLD", "LEVEL"}, "a wrong commit takes nothing away"
        git.commit({"c.yaml": config(LEVEL="a")})
        assert (await sync(database, sources, row)).unset == 1
        assert set(versions(database)) == {"LEVEL"}
        git.commit({"b.yaml": None, "a.yaml": None, "z.yaml": app("wiki")})
        await sync(database, sources, row)
        assert names(database) == ["acme/blog", "acme/blog/p", "acme/wiki"], (
            "what has declared variables below it stays"
        )
        git.commit({"c.yaml": None})
        await sync(database, sources, row)
        assert versions(database) == {}


async def test_a_variable_changes_hands_and_is_never_unset(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"one/a.yaml": app("blog"), "one/c.yaml": config("acme/blog", LEVEL=MARK),
                "two/c.yaml": config("acme/blog", LEVEL=MARK)})  # fmt: skip
    one, two = (add(database, tenant, git.url, name) for name in ("one", "two"))
    for row, path in ((one, "one"), (two, "two")):
        database.execute("UPDATE paas_sources SET path = %s, prune = true WHERE id = %s", path, row, role="panel")
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, one)
        with pytest.raises(
            SourceError, match=r"c\.yaml:\d+:\d+: App acme/blog: config\.LEVEL: the source one declares"
        ):
            await sync(database, sources, two)
        git.commit({"one/c.yaml": None})
        assert (await sync(database, sources, one)).unset == 0
        assert (await sync(database, sources, two)).variables == 1
        assert versions(database) == {"LEVEL": (1, False)}, "it is the same all the time"
        database.execute("UPDATE paas_sources SET deleted_at = now() WHERE id = %s", two, role="panel")
        git.commit({"one/c.yaml": config("acme/blog", LEVEL=MARK)})
        assert (await sync(database, sources, one)).variables == 1, "a source that is deleted has nothing"


async def test_a_variable_is_left_to_whoever_waits_for_it_whoever_else_does_not_any_more(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    level = config("acme/blog", LEVEL=MARK)
    git.commit({"one/a.yaml": app("blog"), **{f"{name}/c.yaml": level for name in ("one", "two", "three")}})
    rows = [add(database, tenant, git.url, name) for name in ("one", "two", "three")]
    for row, path in zip(rows, ("one", "two", "three"), strict=True):
        database.execute("UPDATE paas_sources SET path = %s, prune = true WHERE id = %s", path, row, role="panel")
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, rows[0])
        for row in rows[1:] * 2:
            with pytest.raises(SourceError):
                await sync(database, sources, row)
        git.commit({"one/c.yaml": None, "three/c.yaml": None, "three/a.yaml": app("wiki")})
        assert (await sync(database, sources, rows[2])).unset == 0
        assert (await sync(database, sources, rows[0])).unset == 0, "two waits for it"
        assert (await sync(database, sources, rows[1])).variables == 1
        assert versions(database) == {"LEVEL": (1, False)}
        git.commit({"two/c.yaml": None, "two/a.yaml": app("docs")})
        assert (await sync(database, sources, rows[1])).unset == 1, "nobody waits for it any more"


async def test_nothing_of_another_organization_and_nothing_in_halves(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    make_tenant(database, "other")
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        for document, says in (
            (config("other", A=MARK), r"c\.yaml:3:\d+: ConfigVars/other: metadata\.organization: the source is acme's"),
            (config("other/shop", A=MARK), "declares nothing else"),
            (config("acme/none", A=MARK), r"c\.yaml:3:\d+: App acme/none: the app acme/none of its config vars"),
            (config("acme/blog/none", A=MARK), "the environment acme/blog/none of its config vars does not exist"),
            (
                config("acme/blog", A=MARK) + "---\n" + config("acme/blog", A="b"),
                r"A: is set twice: first at c\.yaml:5",
            ),
            (config("acme/blog", PORT=MARK), "PORT is what the platform says itself"),
            (config("acme/blog", A=MARK * 8000), "A takes 152003 bytes of at most 131072"),
            (config("acme/blog", A0=MARK * 5000, A1=MARK * 5000, A2=MARK * 5000), "all variables take"),
            (config("acme/blog", A=MARK) + "    B: 1\n", "not is|is not|begins"),
            (config("acme/blog", A=MARK).replace(f'"{MARK}"', "8080"), r"spec\.variables\.A: is no text \(put it in q"),
        ):
            git.commit({"a.yaml": app("blog"), "c.yaml": document})
            with pytest.raises(SourceError, match=says) as error:
                await sync(database, sources, row)
            assert MARK not in str(error.value) + repr(error.value.problems)
            assert (set(apps(database)), versions(database)) == ({"shop"}, {})
            assert database.one("SELECT count(*) FROM skypanel.source_variables") == 0


async def test_no_value_is_in_any_table_and_doubts_say_no_more_than_where(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit(
        {"a.yaml": app("blog"), "c.yaml": config("acme/blog", DB_PASSWORD=MARK) + "---\n" + config("acme", A=MARK)}
    )
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        declared = await sync(database, sources, row)
        database.execute("UPDATE skypanel.config_vars SET deleted_at = now()", role="panel")
        declared = await sync(database, sources, row)
    assert "DB_PASSWORD: looks like a secret and stands there in clear" in declared.doubts[0]
    assert MARK not in repr(declared)
    tables = database.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'skypanel')"
    )
    for (table,) in tables:
        found = database.one(f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%{MARK}%'")
        assert found == 0, table
    assert Taken("Organization acme", ("config.A",), declared.taken[0].by) in declared.taken
    assert isinstance(declared, Declared)


# -- encrypted files --------------------------------------------------------------------------------------------------


def encrypted(tmp_path: Path, text: str, *options: str, to: object) -> str:
    """What SOPS makes of a file for the public key of an identity."""
    file = tmp_path / "plain.yaml"
    file.write_text(text)
    words = ["--disable-version-check", "--encrypt", "--age", str(to), *options, str(file)]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    sops = Path(sys.executable).parent / "sops"
    return subprocess.run([sops, *words], env=env, check=True, capture_output=True, text=True).stdout


def set_key(monkeypatch: pytest.MonkeyPatch, database: Database, key: object, *more: str) -> str:
    """``skypanel source key``, as the operator types it."""
    monkeypatch.setenv("SKYPANEL_KEYS", KEYS)
    monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(str(key).encode())))
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(["source", "key", "acme/main", *more]) == 0
    return out.getvalue()


async def test_an_encrypted_file_is_opened_with_the_key_of_the_source_and_with_nothing_else(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    (tmp_path / "keys.txt").write_text(str(key))
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(tmp_path / "keys.txt"))
    monkeypatch.setenv("SOPS_AGE_KEY", str(key))
    secrets = encrypted(tmp_path, config("acme/blog", DB_PASSWORD=MARK), to=key.to_public())
    git.commit({"a.yaml": app("blog"), "c.yaml": secrets, "d.yaml": config("acme", LEVEL="info")})
    row = add(database, tenant, git.url)
    prunes(database, row)
    async with adapter(database, git, tmp_path) as (sources, _):
        with pytest.raises(SourceError, match=r"c\.yaml:.*: sops: is encrypted with SOPS, and the source has no"):
            await sync(database, sources, row)
        said = set_key(monkeypatch, database, other)
        assert "key set (version 1)" in said
        assert str(other.to_public()) in said
        with pytest.raises(SourceError, match=f"no key that is given opens it: it is encrypted for {key.to_public()}"):
            await sync(database, sources, row)
        assert (versions(database), set(apps(database))) == ({}, {"shop"})
        said = set_key(monkeypatch, database, f"{other}\n{key}")
        declared = await sync(database, sources, row)
        assert (declared.variables, declared.doubts) == (2, ())
        assert opened(database) == {"DB_PASSWORD": MARK, "LEVEL": "info"}
        before = versions(database)
        again = encrypted(tmp_path, config("acme/blog", DB_PASSWORD=MARK), to=key.to_public())
        git.commit({"c.yaml": again, "e.yaml": encrypted(tmp_path, app("wiki"), to=key.to_public())})
        await sync(database, sources, row)
        assert (versions(database), set(apps(database))) == (before, {"blog", "shop", "wiki"})
        broken = again.replace('lastmodified: "20', 'lastmodified: "19')
        git.commit({"c.yaml": broken, "a.yaml": None})
        with pytest.raises(SourceError, match=r"c\.yaml:\d+:\d+: sops\.mac: was not encrypted for this place"):
            await sync(database, sources, row)
        git.commit({"c.yaml": again, "a.yaml": app("blog")})
        await sync(database, sources, row)
        assert "key removed" in set_key(monkeypatch, database, "", "--unset")
        with pytest.raises(SourceError, match="the source has no age key"):
            await sync(database, sources, row)
        assert (versions(database), set(apps(database))) == (before, {"blog", "shop", "wiki"}), "nothing was pruned"
    for hidden in (str(key), str(other), MARK):
        assert hidden not in said
        for (table,) in database.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'skypanel')"
        ):
            assert database.one(f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%{hidden}%'") == 0, table
    left = [each for each in (tmp_path / "cache").rglob("*") if each.is_file() and MARK.encode() in each.read_bytes()]
    assert left == []


async def test_a_key_is_bound_to_its_source_and_what_it_opens_is_not_repeated(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = pyrage.x25519.Identity.generate()
    wrong = encrypted(tmp_path, app(MARK.upper()), to=key.to_public())
    git.commit({"c.yaml": wrong})
    row = add(database, tenant, git.url)
    thief = add(database, tenant, git.url, "thief")
    set_key(monkeypatch, database, key)
    database.execute(
        "UPDATE paas_sources t SET identities = m.identities, identities_key_id = m.identities_key_id"
        " FROM paas_sources m WHERE m.id = %s AND t.id = %s", row, thief,
    )  # fmt: skip
    async with adapter(database, git, tmp_path) as (sources, _):
        with pytest.raises(SourceError, match="breaks a rule, and is encrypted") as error:
            await sync(database, sources, row)
        assert not [each for each in error.value.problems if MARK.upper() in each.partition(": metadata.name")[2]]
        with pytest.raises(SourceError, match="is not what was sealed for this row") as error:
            await sync(database, sources, thief)
        assert error.value.reason == "AgeKeyUnreadable"
        assert wanted(database, thief).identities == 1


async def test_values_of_a_source_stand_for_placeholders_of_its_files(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    files = environment("p").replace("web:1", "web:${TAG}").replace("spec: {", "spec: {replicas: '${COUNT}', ")
    git.commit({"a.yaml": app("blog"), "b.yaml": files, "c.yaml": config("acme/blog", LEVEL="${LEVEL}", TEXT="$${A}")})
    row = add(database, tenant, git.url)
    asked = "SELECT image_ref, instances FROM paas_environments WHERE name = 'p'"

    def say(values: dict[str, object]) -> None:
        said = json.dumps(values)
        database.execute("UPDATE paas_sources SET overlay = %s::jsonb WHERE id = %s", said, row, role="panel")

    async with adapter(database, git, tmp_path) as (sources, _):
        say({"TAG": "7", "COUNT": 2})
        with pytest.raises(SourceError, match=r"c\.yaml:5:15: .*\$\{LEVEL\} stands for nothing \(known: COUNT, TAG"):
            await sync(database, sources, row)
        assert database.execute(asked) == []
        say({"TAG": "7", "COUNT": 2, "LEVEL": "debug"})
        await sync(database, sources, row)
        assert (database.execute(asked), opened(database)) == ([("web:7", 2)], {"LEVEL": "debug", "TEXT": "${A}"})
        woken(database)
        say({"TAG": "8", "COUNT": 3, "LEVEL": "debug"})
        assert woken(database) == 1, "the source is looked at for it"
        await sync(database, sources, row)
        assert (database.execute(asked), versions(database)["LEVEL"]) == ([("web:8", 3)], (1, False))
