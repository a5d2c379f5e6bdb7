"""The example of docs/extending.md, installed into a folder as pip leaves it there."""

from __future__ import annotations

from pathlib import Path

from tests.installed import ROOT, install

FOLDER = ROOT / "tests" / "example"
SETTINGS = {"ACME_MAIL_KEY": "k" * 32}


def files() -> dict[str, str]:
    """Its files, by their paths in the package's folder."""
    found = (path for path in sorted(FOLDER.rglob("*")) if path.suffix in {".py", ".sql"})
    return {str(path.relative_to(FOLDER)): path.read_text(encoding="utf-8") for path in found}


def install_example(folder: Path) -> None:
    """Put it into ``folder``."""
    install(folder, "acme-mail", "acme_mail", files())
