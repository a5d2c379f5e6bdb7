"""Debian packages beside the system: fetched with a private apt configuration, unpacked, never installed.

The mirror, its proxy and its certificates are the machine's own; only the suite differs. Nothing of the
system's package state is read or written, so an engine of a newer release can be had without upgrading
anything. `install_on_host` is the exception: the few small programs that an engine needs from the machine
itself.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.engine.errors import LabError
from deploy.engine.paths import cache_root, exclusive

KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
APT_CONFIGURATION = """\
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{home}/sources";
Dir::State::Lists "{home}/lists";
Dir::State::status "{home}/status";
Dir::Cache "{home}/cache";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::Check-Valid-Until "false";
"""
SOURCE = """\
Types: deb
URIs: {mirror}
Suites: {suite}
Components: main
Signed-By: {keyring}
"""


def fetch(suite: str, packages: Sequence[str], *, with_dependencies: bool = False) -> Path:
    """The files of some packages of a suite, unpacked into one cached folder.

    Args:
        suite: a Debian code name, such as "trixie".
        packages: names of binary packages.
        with_dependencies: also unpack everything they depend on, libc included.

    Raises:
        LabError: no mirror is configured, or apt could not fetch them.
    """
    key = hashlib.sha256(repr((suite, sorted(packages), with_dependencies)).encode()).hexdigest()[:12]
    target = cache_root() / "packages" / f"{suite}-{packages[0]}-{key}"
    with exclusive(target.with_suffix(".lock")):
        if not target.exists():
            _unpack(_download(suite, packages, with_dependencies=with_dependencies), target)
    return target


def install_on_host(programs: dict[str, str]) -> list[str]:
    """Install the packages whose programs or files are absent; returns the names of the installed packages.

    Args:
        programs: from a program's name, or a file's absolute path with `*`, to the package that has it.
    """
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = sorted(
        {
            package
            for program, package in programs.items()
            if not (any(Path("/").glob(program[1:])) if program[0] == "/" else shutil.which(program, path=search))
        }
    )
    if missing:
        print(f"installing Debian packages: {' '.join(missing)}", file=sys.stderr)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
        if subprocess.run(install, env=quiet, capture_output=True, check=False).returncode:
            _run(["apt-get", "update", "-qq"], quiet)
            _run(install, quiet)
    return missing


def _download(suite: str, packages: Sequence[str], *, with_dependencies: bool) -> list[Path]:
    home = cache_root() / "apt" / suite
    with exclusive(home.with_suffix(".lock")):
        for folder in ("sources", "lists/partial", "cache/archives/partial"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        (home / "status").touch()
        (home / "apt.conf").write_text(APT_CONFIGURATION.format(home=home))
        (home / "sources/lab.sources").write_text(SOURCE.format(mirror=mirror(), suite=suite, keyring=_keyring()))
        environment = {**os.environ, "APT_CONFIG": str(home / "apt.conf")}
        archives = home / "cache/archives"
        _run(["apt-get", "update", "-qq"], environment)
        if with_dependencies:
            _run(["apt-get", "install", "-y", "-qq", "--download-only", *packages], environment)
        else:
            _run(["apt-get", "download", "-qq", *packages], environment, folder=archives)
        own = home / f"fetched-{os.getpid()}"
        own.mkdir(exist_ok=True)
        return [archive.rename(own / archive.name) for archive in sorted(archives.glob("*.deb"))]


def _unpack(archives: list[Path], target: Path) -> None:
    """Unpack into a folder of its own and rename it at the end: what exists is whole."""
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for archive in archives:
        _run(["dpkg-deb", "--extract", str(archive), str(partial)])
    partial.rename(target)
    shutil.rmtree(archives[0].parent)


def mirror() -> str:
    """Address of the machine's own Debian archive, from its apt configuration."""
    listing = _run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI) $(COMPONENT)", "Created-By: Packages"]
    )
    release = (
        dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
        .get("VERSION_CODENAME", "")
        .strip('"')
    )
    targets = [line.split() for line in listing.splitlines() if line.endswith(" main")]
    # Any of the plain names of a release; never its -security or -updates, which have other trees.
    for wanted in (release, "stable", "oldstable", "testing", "unstable", "sid"):
        for suite, mirror, _ in (target for target in targets if len(target) == 3):
            if suite == wanted:
                return mirror
    raise LabError("apt knows no Debian archive with the component main: see /etc/apt/sources.list.d, sources.list(5)")


def _keyring() -> Path:
    for name in KEYRINGS:
        path = Path("/usr/share/keyrings") / name
        if path.exists():
            return path
    raise LabError("Debian's archive keys are not here: apt-get install debian-archive-keyring")


def _run(command: list[str], environment: dict[str, str] | None = None, folder: Path | None = None) -> str:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip()[-1500:]
        raise LabError(f"{' '.join(command)} failed ({done.returncode}): {reason}")
    return done.stdout
