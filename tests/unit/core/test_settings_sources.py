"""Where settings come from, and names that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from controller.settings import Settings
from controller.settings_sources import given, installed_file, read, sources, unknown


class OfMail(BaseModel):
    """Settings of a kind."""

    skypanel_mail_host: str = "here"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "env"
    found.write_text("SKYPANEL_INSTALLATION=prod\nDATABASE_URL='postgresql://a:hunter2@db/x'\n")
    found.chmod(0o600)
    return found


def test_a_misspelt_setting_is_named_with_its_place_and_without_its_value(file: Path) -> None:
    file.write_text("SKYPANEL_EDGE_ENTRYPOINT=hunter2\nSKYPANEL_COLOUR=blue\nOTHER=1\n")
    said = unknown(sources([file], {"SKYPANEL_RESYNC_SECOND": "1"}), [Settings])
    assert said == [
        "SKYPANEL_RESYNC_SECOND (in the environment) is not a setting (did you mean SKYPANEL_RESYNC_SECONDS?)",
        f"SKYPANEL_COLOUR (in {file}) is not a setting (docs/operations.md lists the settings)",
        f"SKYPANEL_EDGE_ENTRYPOINT (in {file}) is not a setting (did you mean SKYPANEL_EDGE_ENTRYPOINTS?)",
    ]


def test_settings_of_kinds_and_what_tenants_get_are_known() -> None:
    environment = {"SKYPANEL_MAIL_HOST": "x", "SKYPANEL_APP": "shop", "SKYPANEL_LAB_CACHE": "/x", "skypanel_hints": "0"}
    assert not unknown(sources([], environment), [Settings, OfMail])


def test_what_differs_from_the_defaults_is_told_with_its_place_and_no_secret(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYPANEL_INSTALLATION", "test")
    monkeypatch.setenv("SKYPANEL_EDGE_ENTRYPOINTS", "web,websecure")
    found = {entry.name: entry for entry in given(read(Settings, sources([file])), sources([file]))}
    assert set(found) == {"SKYPANEL_INSTALLATION", "SKYPANEL_EDGE_ENTRYPOINTS", "DATABASE_URL"}
    assert (found["SKYPANEL_INSTALLATION"].value, found["SKYPANEL_INSTALLATION"].source) == ("test", "the environment")
    assert found["SKYPANEL_EDGE_ENTRYPOINTS"].value == "web,websecure"
    assert (found["DATABASE_URL"].value, found["DATABASE_URL"].source) == ("***", str(file))


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_read_unasked(file: Path, mode: int) -> None:
    assert installed_file(file) == file
    file.chmod(mode)
    assert installed_file(file) is None


def test_a_file_that_is_not_there_or_is_a_folder_is_none(tmp_path: Path) -> None:
    assert installed_file(tmp_path / "none") is None
    assert installed_file(tmp_path) is None


def test_a_secret_of_any_model_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithKey(BaseModel):
        mail_key: SecretStr = SecretStr("")

    monkeypatch.setenv("MAIL_KEY", "hunter2")
    (found,) = given(read(WithKey, sources([])), sources([]))
    assert (found.name, found.value) == ("MAIL_KEY", "***")
