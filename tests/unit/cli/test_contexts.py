"""Contexts: which installation a command means, in what file that stands, and who else may read it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from controller.actions.errors import ActionError
from controller.cli import contexts, inputs, main
from controller.cli.commands import OF_THE_MACHINE
from controller.cli.contexts import Context, Contexts, chosen

PROD = Context("prod", url="https://api.example.com", token="skp_secret_of_prod", organization="acme")
OPS = Context("ops", database="postgresql://panel:secret@db/skypanel")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("DATABASE_URL", "SKYPANEL_API_URL", "SKYPANEL_TOKEN", "SKYPANEL_CONTEXT", "SKYPANEL_ENV_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(inputs, "_named_files", [])
    return tmp_path


def keep(*known: Context, current: str = "") -> Path:
    return contexts.write(Contexts(current, {each.name: each for each in known}))


def test_what_is_written_is_read_again_and_is_its_users_alone() -> None:
    where = keep(PROD, OPS, current="prod")
    assert contexts.read() == Contexts("prod", {"prod": PROD, "ops": OPS})
    assert stat.S_IMODE(where.stat().st_mode) == 0o600
    assert stat.S_IMODE(where.parent.stat().st_mode) == 0o700
    assert list(where.parent.iterdir()) == [where], "nothing is left beside it"


def test_no_token_is_shown_by_accident() -> None:
    assert "secret" not in repr(PROD) + repr(OPS) + repr(Contexts("", {"prod": PROD}))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_read_or_change_is_not_read(mode: int) -> None:
    keep(PROD).chmod(mode)
    with pytest.raises(ActionError, match="others can read it") as caught:
        contexts.read()
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize("text", ["", "[]", "{", '{"contexts": []}', '{"contexts": {"x": 1}}', "\xff"])
def test_a_file_that_is_none_is_said_to_be_none(text: str) -> None:
    where = keep(PROD)
    where.write_bytes(text.encode("latin-1"))
    with pytest.raises(ActionError, match="cannot be understood"):
        contexts.read()


def test_a_file_of_somebody_else_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(PROD, current="prod")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert contexts.read() == Contexts()


def test_a_user_without_a_home_has_no_context(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert contexts.read() == Contexts()
    with pytest.raises(ActionError, match="no home"):
        keep(PROD)


@pytest.mark.parametrize("name", OF_THE_MACHINE)
def test_what_is_of_the_machine_takes_no_context(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    keep(PROD, current="prod")
    assert main(["--context", "prod", name]) == 1
    assert "is of this machine" in capsys.readouterr().err


def test_what_is_no_file_is_not_waited_for(home: Path) -> None:
    (home / "skypanel").mkdir()
    os.mkfifo(home / "skypanel/contexts.json", 0o600)
    with pytest.raises(ActionError, match="is no file"):
        contexts.read()


def test_a_full_disk_leaves_the_file_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    where = keep(PROD, current="prod")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ActionError, match="No space left"):
        keep(OPS)
    assert contexts.read().known == {"prod": PROD}
    assert list(where.parent.iterdir()) == [where]


def test_what_is_nearer_wins() -> None:
    keep(PROD, OPS, current="prod")
    given = {"SKYPANEL_API_URL": "https://ci", "SKYPANEL_TOKEN": "t", "DATABASE_URL": "postgresql://x"}

    def meant(named: str = "", environment: Mapping[str, str] | None = None, *, settings: bool = False) -> str | None:
        found = chosen(named, settings_named=settings, environment=environment or {})
        return (found.url or found.database) if found else None

    assert meant("ops", given) == OPS.database
    assert meant("", given) == "https://ci"
    assert meant("", {"DATABASE_URL": "postgresql://x"}) is None
    assert meant(settings=True) is None
    assert meant() == PROD.url
    with pytest.raises(ActionError, match="no context 'none'"):
        meant("none")


def test_contexts_are_listed_used_and_removed_by_command(capsys: pytest.CaptureFixture[str]) -> None:
    keep(PROD, OPS, current="prod")
    assert main(["context"]) == 0
    said = capsys.readouterr().out
    assert "secret" not in said
    assert "postgresql://panel:***@db/skypanel" in said
    assert main(["context", "use", "ops"]) == 0
    assert contexts.read().current == "ops"
    assert main(["context", "remove", "ops"]) == 0
    assert contexts.read() == Contexts("", {"prod": PROD})
    capsys.readouterr()
    assert main(["context", "list", "-o", "json"]) == 0
    assert [each["login"] for each in json.loads(capsys.readouterr().out)] == ["token"]


def test_a_token_is_never_taken_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["login", "https://api.example.com", "skp_secret"]) == 1
    assert main(["login", "https://api.example.com", "--token", "skp_secret"]) == 1
    assert contexts.read() == Contexts()


@pytest.mark.parametrize("url", ["http://api.example.com", "api.example.com", "https://u:p@x"])
def test_no_token_is_asked_for_where_it_could_not_be_sent_safely(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["login", url]) == 1
    assert "error: " in capsys.readouterr().err
    assert contexts.read() == Contexts()


@pytest.mark.parametrize(
    "line",
    [
        ["user", "add", "a@b.c"],
        ["gc"],
        ["audit", "list"],
        ["images", "list", "acme"],
        ["trace", "env", "a/b/c"],
    ],
)
def test_what_works_on_the_database_alone_says_so(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    keep(PROD, current="prod")
    assert main(line) == 1
    said = capsys.readouterr().err
    assert "works on the database and the engine, not through the API of prod" in said
    assert len(said.splitlines()) == 1


def test_without_a_token_it_is_said_how_to_log_in(capsys: pytest.CaptureFixture[str]) -> None:
    keep(Context("prod", url="https://api.example.com"), current="prod")
    assert main(["get", "apps"]) == 1
    assert "`skypanel login https://api.example.com`" in capsys.readouterr().err


def test_the_shell_completes_names_of_contexts_and_waits_for_no_api(capsys: pytest.CaptureFixture[str]) -> None:
    from controller.cli.context import _complete  # noqa: PLC0415

    keep(PROD, OPS)
    assert _complete("p") == ["prod"]
    keep(PROD).chmod(0o644)
    assert _complete("p") == []
