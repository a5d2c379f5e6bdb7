"""An interpreter of a minor version, and an environment of it with the locked packages.

Looked for on PATH, then among pyenv's, else Debian's of a newer release is unpacked beside the system.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from deploy.engine.errors import LabError
from deploy.engine.paths import cache_root, exclusive
from tests.matrix import beside
from tests.matrix.beside import run
from tests.matrix.cells import ROOT

SUITES = {"3.11": "bookworm", "3.13": "trixie", "3.14": "forky"}
LOCK = ROOT / "requirements-dev.lock"


def environment(minor: str) -> Path:
    """The interpreter of a virtual environment of Python ``minor`` ("3.14"), with the locked packages and this project.

    Raises:
        LabError: there is no such interpreter here, and none of Debian's releases has it.
    """
    given = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = cache_root() / "python" / f"{minor}-{given}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(folder.parent / f"{folder.name}.lock"):
        if not (folder / "whole").exists():
            for old in folder.parent.glob(f"{minor}-*/"):
                shutil.rmtree(old)
            _make(interpreter(minor), folder)
        run([*_pip(folder), "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    return folder / "bin/python"


def can_be_had(minor: str) -> bool:
    """Whether there is an interpreter of that version on this machine, or in a release of Debian."""
    return minor in SUITES or _here(minor) is not None


def interpreter(minor: str) -> Path:
    """A Python of that minor version which can make virtual environments."""
    if found := _here(minor):
        return found
    if minor not in SUITES:
        raise LabError(f"there is no Python {minor} on this machine, and no release of Debian has it: install it")
    return _of_debian(minor)


def _here(minor: str) -> Path | None:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [shutil.which(f"python{minor}"), *sorted(pyenv.glob(f"versions/{minor}.*/bin/python{minor}"))]
    for candidate in candidates:
        # A name on PATH may be a shim for a version that is not there.
        if candidate and not run([str(candidate), "-c", "import ensurepip, venv"], check=False).returncode:
            return Path(candidate)
    return None


def _of_debian(minor: str) -> Path:
    name = f"python{minor}"
    return beside.program(SUITES[minor], [name, f"{name}-venv"], f"usr/bin/{name}")


def _make(python: Path, folder: Path) -> None:
    """It is made in its place, which is written into its scripts; the file `whole` says that nothing is missing."""
    run([str(python), "-m", "venv", "--without-pip", str(folder)])
    (folder / "pip").symlink_to(_wheel_of_pip(python))
    run([*_pip(folder), "--require-hashes", "--no-deps", "--requirement", str(LOCK)])
    (folder / "whole").touch()


def _pip(folder: Path) -> list[str]:
    return [str(folder / "bin/python"), f"{folder / 'pip'}/pip", "--disable-pip-version-check", "--quiet", "install"]


def _wheel_of_pip(python: Path) -> Path:
    """The wheel of pip that an interpreter, or Debian beside it, has for new environments; it runs as it is."""
    own = Path(run([str(python), "-c", "import ensurepip; print(ensurepip.__path__[0])"]).stdout.strip())
    for wheel in (*own.glob("_bundled/pip-*.whl"), *python.parents[1].glob("share/python-wheels/pip-*.whl")):
        return wheel
    raise LabError(f"{python} brings no pip for new environments: install python3-venv")
