"""Programs of a newer Debian release, unpacked beside the system, that run here with their own libc and libraries."""

from __future__ import annotations

import subprocess
from pathlib import Path

from deploy.engine import debian
from deploy.engine.errors import LabError
from deploy.engine.paths import exclusive


def program(suite: str, packages: list[str], path: str) -> Path:
    """The program at ``path`` of these packages; its loader's and its libraries' places are written into it.

    Raises:
        LabError: the packages cannot be fetched, or have no such program.
    """
    tree = debian.fetch(suite, packages, with_dependencies=True)
    found = tree / path
    if not found.exists():
        raise LabError(f"{path} is not in {', '.join(packages)} of {suite}")
    placed = found.parent / f"{found.name}.placed"
    with exclusive(tree.parent / f"{tree.name}.placing"):
        if not placed.exists():
            debian.install_on_host({"patchelf": "patchelf"})
            loader = next(path for path in tree.glob("**/ld-linux*.so.*") if path.is_file())
            libraries = ":".join(sorted({str(path.parent) for path in tree.glob("**/*-linux-gnu*/*.so*")}))
            partial = found.parent / f"{found.name}.partial"
            places = ["--set-interpreter", str(loader), "--force-rpath", "--set-rpath", libraries]
            run(["patchelf", *places, "--output", str(partial), str(found)])
            partial.chmod(0o755)
            partial.rename(found)
            placed.touch()
    return found


def run(command: list[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A command whose output is only of interest when it fails.

    Raises:
        LabError: it failed, and ``check`` is set.
    """
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise LabError(
            f"{' '.join(command)} failed ({done.returncode}): {(done.stderr or done.stdout).strip()[-1500:]}"
        )
    return done
