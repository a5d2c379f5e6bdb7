"""`skypanel setup` on a real server: what it makes, that it makes it once, and that it tells no password."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from dotenv import dotenv_values
from psycopg.conninfo import conninfo_to_dict

from controller.cli import main
from controller.cli.errors import ExitCode
from deploy.postgres import Server

DATABASE = f"test_{os.getpid()}_setup"
CONTROLLER, PEOPLE, API = LOGINS = (
    f"{DATABASE}_controller_login",
    f"{DATABASE}_panel_login",
    f"{DATABASE}_api_login",
)
FILES = {"env": "DATABASE_URL", "panel.env": "DATABASE_URL", "api.env": "SKYPANEL_API_DATABASE_URL"}
Setup = Callable[..., str]


@pytest.fixture
def setup(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Setup]:
    """Run it, expect an exit code, get what it printed; what it made goes at the end."""

    def run(*more: str, code: int = ExitCode.OK, role: str = "postgres") -> str:
        monkeypatch.setenv("SKYPANEL_ADMIN_URL", server.dsn_for(role, "postgres"))
        folder = ("--folder", str(tmp_path / "etc"), "--host", str(server.socket_dir))
        assert main(["setup", "--database", DATABASE, *folder, *more]) == code
        said = capsys.readouterr()
        return said.out + said.err

    yield run
    with server.connect() as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
        for login in LOGINS:
            conn.execute(f"DROP ROLE IF EXISTS {login}".encode())


def urls(folder: Path) -> dict[str, str]:
    """By login."""
    found = [dotenv_values(folder / "etc" / name)[line] or "" for name, line in FILES.items()]
    return {str(conninfo_to_dict(url)["user"]): url for url in found}


def is_password(verifier: str, password: str) -> bool:
    """Whether a SCRAM verifier (RFC 5803) is the one of ``password``."""
    _, salted, keys = verifier.split("$")
    rounds, salt = salted.split(":")
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), b64decode(salt), int(rounds))
    stored = hashlib.sha256(hmac.digest(key, b"Client Key", "sha256")).digest()
    return b64encode(stored).decode() == keys.split(":")[0]


def test_an_empty_server_gets_all_that_an_installation_needs(setup: Setup, server: Server, tmp_path: Path) -> None:
    said = setup()
    assert f"made database {DATABASE}" in said
    found = urls(tmp_path)
    assert set(found) == set(LOGINS)
    with psycopg.connect(found[CONTROLLER]) as conn:
        assert conn.execute("SELECT count(*) FROM skypanel.objects").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("INSERT INTO paas_plans (name) VALUES ('x')")
    with psycopg.connect(found[API]) as conn:
        assert conn.execute("SELECT count(*) FROM paas_apps").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT ciphertext FROM skypanel.config_vars")
    with server.connect() as conn:
        for login, url in found.items():
            (verifier,) = conn.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [login]).fetchone() or (
                "",
            )
            password = str(conninfo_to_dict(url)["password"])
            assert is_password(verifier, password)
            assert password not in said
    for name in FILES:
        assert stat.S_IMODE((tmp_path / "etc" / name).stat().st_mode) == 0o600


def test_the_first_organization_is_made_without_a_panel(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    setup()
    monkeypatch.setenv("DATABASE_URL", urls(tmp_path)[PEOPLE])
    file = tmp_path / "acme.yaml"
    file.write_text(
        "apiVersion: skypanel.io/v1\nkind: Organization\nmetadata: {name: acme}\nspec: {owner: ops@acme.example}\n"
    )
    assert main(["apply", str(file)]) == ExitCode.ERROR
    assert "skypanel user add ops@acme.example" in capsys.readouterr().err
    assert main(["user", "add", "ops@acme.example"]) == ExitCode.OK
    assert main(["user", "add", "ops@acme.example"]) == ExitCode.OK
    assert "already exists" in capsys.readouterr().out
    assert main(["apply", str(file)]) == ExitCode.OK
    assert main(["user", "add", "nobody"]) == ExitCode.ERROR
    with (
        psycopg.connect(urls(tmp_path)[PEOPLE]) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute("SELECT password_hash FROM users")


def test_a_second_run_changes_nothing(setup: Setup, tmp_path: Path) -> None:
    setup()
    before = urls(tmp_path)
    assert setup() == "everything is there\n"
    assert urls(tmp_path) == before


def test_a_lost_file_gets_a_new_password_and_the_other_stays(setup: Setup, tmp_path: Path) -> None:
    setup()
    before = urls(tmp_path)
    (tmp_path / "etc" / "panel.env").unlink()
    assert f"gave {PEOPLE} a new password" in setup()
    after = urls(tmp_path)
    assert after[CONTROLLER] == before[CONTROLLER]
    assert after[PEOPLE] != before[PEOPLE]


def test_other_lines_of_the_file_stay(setup: Setup, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "env"
    file.write_text("# ours\nSKYPANEL_EDGE_ENTRYPOINTS=websecure\n")
    setup()
    assert "# ours\nSKYPANEL_EDGE_ENTRYPOINTS=websecure\n" in file.read_text()
    assert file.read_text().count("DATABASE_URL=") == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql://nobody@127.0.0.1:1/{DATABASE}", "does not work"),
        ("postgresql://nobody@/nowhere", "names database nowhere"),
    ],
)
def test_a_connection_string_that_somebody_may_work_with_is_never_replaced(
    setup: Setup, tmp_path: Path, url: str, said: str
) -> None:
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "env"
    file.write_text(f"DATABASE_URL={url}\n")
    assert said in setup(code=ExitCode.ERROR)
    assert file.read_text() == f"DATABASE_URL={url}\n"


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(setup: Setup, server: Server, tmp_path: Path) -> None:
    assert f"would have made database {DATABASE}" in setup("--dry-run")
    assert not (tmp_path / "etc").exists()
    with server.connect() as conn:
        assert not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()


def test_who_is_no_superuser_is_told_what_to_do(setup: Setup) -> None:
    assert "needs a superuser" in setup(code=ExitCode.ERROR, role="reader")


def test_a_key_for_config_vars_is_made_once_and_not_shown(setup: Setup, server: Server, tmp_path: Path) -> None:
    said = setup()
    file = tmp_path / "etc" / "env"
    key = dotenv_values(file)["SKYPANEL_KEYS"] or ""
    assert len(b64decode(key)) == 32
    assert "keep a copy of it" in said
    assert key not in said
    assert "SKYPANEL_KEYS" not in (tmp_path / "etc" / "panel.env").read_text()
    setup()
    assert dotenv_values(file)["SKYPANEL_KEYS"] == key
    (without,) = [line for line in file.read_text().splitlines() if line.startswith("DATABASE_URL")]
    file.write_text(f"{without}\nSKYPANEL_KEY_FILE=/etc/skypanel/keys\n")
    assert setup() == "everything is there\n"
    with psycopg.connect(server.dsn_for("postgres", DATABASE), autocommit=True) as conn:
        conn.execute(
            "WITH u AS (INSERT INTO users (email, password_hash, name) VALUES ('a@b.example', 'x', 'A') RETURNING id),"
            " o AS (INSERT INTO organizations (name, slug, owner_id) SELECT 'a', 'a', id FROM u RETURNING id)"
            " INSERT INTO paas_organizations (organization_id) SELECT id FROM o"
        )
        conn.execute(
            "INSERT INTO skypanel.data_keys (organization_id, kek_id, wrapped)"
            " SELECT organization_id, '0123abcd', 'x' FROM paas_organizations"
        )
    file.write_text(f"{without}\n")
    assert setup() == "everything is there\n", "another key would open nothing"
