"""A real sshd on this machine, in a mount namespace of its own; Debian's, where the system has none."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from deploy.engine import debian


class SshServer:
    """One, which takes one user's key.

    Args:
        folder: where its keys and its log are.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.key, self.host = keypair(folder / "user"), keypair(folder / "host")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._authorized = folder / "authorized"
        self.let_in(Path(f"{self.key}.pub"))
        (folder / "passwd").write_text(
            Path("/etc/passwd").read_text() + "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
        )
        self._log = folder / "log"
        options = {
            "HostKey": self.host, "AuthorizedKeysFile": folder / "authorized",
            "ListenAddress": f"127.0.0.1:{self.port}",
            "UsePAM": "no", "StrictModes": "no", "PermitRootLogin": "yes", "PasswordAuthentication": "no",
            "PidFile": "none", "AllowAgentForwarding": "yes", "PrintMotd": "no",
        }  # fmt: skip
        (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        program, libraries = sshd()
        script = (
            f"mount --bind {folder}/passwd /etc/passwd && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && "
            f'exec "{program}" -D -e -f "{folder}/config"'
        )
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", script], stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, "LD_LIBRARY_PATH": libraries},
            )  # fmt: skip
        self._wait()

    def let_in(self, public: Path) -> None:
        """Take this key from now on, and no other."""
        self._authorized.write_text(public.read_text())

    def url(self, path: Path) -> str:
        """Of a repository on this machine."""
        return f"ssh://root@127.0.0.1:{self.port}{path}"

    @property
    def known(self) -> bytes:
        """As ``ssh-keyscan`` prints it."""
        kind, key, *_ = Path(f"{self.host}.pub").read_text().split()
        return f"# a comment\n[127.0.0.1]:{self.port} {kind} {key}\n".encode()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _wait(self) -> None:
        ends = time.monotonic() + 20
        while time.monotonic() < ends and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"sshd does not answer: {self.log}")


def keypair(place: Path, passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(place)], check=True)
    return place


def sshd() -> tuple[str, str]:
    """Its program, and a folder of libraries that it needs."""
    found = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if found:
        return found, ""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    root = debian.fetch(release["VERSION_CODENAME"].strip('"'), ["openssh-server", "libwrap0"])
    libraries = next(root.rglob("libwrap.so.0")).parent
    return str(root / "usr/sbin/sshd"), str(libraries)
