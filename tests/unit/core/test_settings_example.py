"""`.env.example`: every setting once, with the default that it has."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from controller import settings_example
from controller.settings import Settings
from controller.settings_sources import names_of, read, sources

LINES = settings_example.example().splitlines()
SETTINGS = [line[1:] for line in LINES if line.startswith("#") and line[1:2].isupper() and "=" in line]


def test_the_file_is_current() -> None:
    assert settings_example.main(["--check"]) == 0


def test_a_file_that_is_not_current_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings_example, "FILE", tmp_path / ".env.example")
    assert settings_example.main(["--check"]) == 1
    assert ".env.example is not current" in capsys.readouterr().err
    assert settings_example.main([]) == 0
    assert settings_example.main(["--check"]) == 0


def test_every_setting_stands_there_once_with_a_word_about_it() -> None:
    assert sorted(line.partition("=")[0] for line in SETTINGS) == sorted(names_of(Settings))
    assert not [line for at, line in enumerate(LINES) if line[1:] in SETTINGS and not LINES[at - 1].startswith("# ")]
    assert max(map(len, LINES)) <= 120


def test_what_is_written_out_is_the_default(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("".join(f"{line}\n" for line in SETTINGS if not line.endswith("=")), encoding="utf-8")
    found = read(Settings, sources([file], {}))
    assert found == read(Settings, sources([], {}))
    empty = [line[:-1].lower() for line in SETTINGS if line.endswith("=")]
    assert not [name for name in empty if getattr(found, name) not in (None, "", (), SecretStr(""))]
