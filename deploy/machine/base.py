"""The root file system of a bare Debian, made once by mmdebstrap from the machine's own archive, and cached.

It knows the outer machine's archive and certificates, so that apt and pip in it find what they find outside.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.engine import debian
from deploy.engine.errors import LabError
from deploy.engine.paths import cache_root, exclusive

SUITES = ("bookworm", "trixie")
PACKAGES = ("systemd-sysv", "dbus", "iproute2", "ca-certificates", "procps", "curl", "sudo")
"""What every delivered machine has; an engine, a server and Python are not among it."""
TOOLS = {"mmdebstrap": "mmdebstrap", "slirp4netns": "slirp4netns", "unshare": "util-linux", "setpriv": "util-linux"}
_MASKED = ("console-getty.service", "systemd-modules-load.service", "systemd-sysctl.service", "apt-daily.timer")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PIP = ("cert", "default-timeout", "index-url", "extra-index-url", "no-index", "proxy", "trusted-host")


def base(suite: str) -> Path:
    """The folder of a suite's root file system; nothing is ever written below it.

    Raises:
        LabError: it cannot be made.
    """
    if suite not in SUITES:
        raise LabError(f"no machine of the suite {suite!r} can be made; choose one of {', '.join(SUITES)}")
    debian.install_on_host(TOOLS)
    key = hashlib.sha256(repr((suite, PACKAGES, Path(__file__).read_bytes())).encode()).hexdigest()[:12]
    target = cache_root() / "machines" / f"{suite}-{key}"
    with exclusive(target.with_suffix(".lock")):
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            _make(suite, partial)
            partial.rename(target)
    return target


def bootstrap(suite: str, target: Path, packages: Sequence[str], *options: str) -> None:
    """Let mmdebstrap make a folder or a tar of a suite's packages, without what they only recommend.

    It mounts /proc, /sys and the like below the target: in a mount namespace of its own, so that they go with it even
    when it is killed, and whoever removes what it left removes nothing else.
    """
    private = ("unshare", "--mount", "--propagation", "private", "--")
    chosen = (f"--include={','.join(packages)}", '--aptopt=APT::Install-Recommends "false"', *options)
    _run(*private, "mmdebstrap", *chosen, suite, str(target), debian.mirror())


def _make(suite: str, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    bootstrap(suite, folder, PACKAGES, "--variant=apt", "--skip=cleanup/apt/lists")
    (folder / "etc/apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
    (folder / "etc/dpkg/dpkg.cfg.d/lab").write_text("force-unsafe-io\n")
    (folder / "etc/apt/apt.conf.d/99lab").write_text(_of_apt())
    (folder / "etc/pip.conf").write_text(_of_pip())
    (folder / "etc/hostname").unlink(missing_ok=True)
    (folder / "etc/resolv.conf").unlink(missing_ok=True)
    (folder / "etc/resolv.conf").write_text("nameserver 10.0.2.3\n")
    for unit in _MASKED:
        (folder / "etc/systemd/system" / unit).symlink_to("/dev/null")
    if _CERTIFICATES.exists():
        shutil.copy(_CERTIFICATES, folder / str(_CERTIFICATES).lstrip("/"))


def _of_apt() -> str:
    """The proxy that apt uses outside."""
    lines = _run("apt-config", "dump").splitlines()
    return "".join(
        f"{line}\n" for line in lines if line.startswith(("Acquire::http", "Acquire::https")) and '""' not in line
    )


def _of_pip() -> str:
    """Where pip looks outside, but for what lies on the outer machine's disk."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        name, value = name.rpartition(".")[2], value.strip("'\"")
        if name == "cert" or (name in _PIP and not value.startswith(("file:", "/"))):
            found[name] = value
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in sorted(found.items()))


def _run(*command: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, "TMPDIR": "/var/tmp"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LabError(f"{command[0]} failed ({done.returncode}): {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout
