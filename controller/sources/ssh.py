"""How git is told to reach a host over SSH: one address, one key, the host's own keys, and nothing of this machine.

The key and the host's keys are files of a folder that goes with the fetch. Nobody is trusted on first use, no agent,
no configuration, no other way in and nothing that is forwarded; the address is one that was looked at.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from specs.ssh import ALIAS

CONNECT_SECONDS = 8
_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": "/dev/null",
    "UpdateHostKeys": "no",
    "VerifyHostKeyDNS": "no",
    "CheckHostIP": "no",
    "HostKeyAlias": ALIAS,
    "CanonicalizeHostname": "no",
    "ProxyCommand": "none",
    "ProxyJump": "none",
    "PreferredAuthentications": "publickey",
    "PubkeyAuthentication": "yes",
    "IdentitiesOnly": "yes",
    "IdentityAgent": "none",
    "CertificateFile": "none",
    "PKCS11Provider": "none",
    "PermitLocalCommand": "no",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "Tunnel": "no",
    "ControlMaster": "no",
    "ControlPath": "none",
    "RequestTTY": "no",
    "EscapeChar": "none",
    "ConnectTimeout": str(CONNECT_SECONDS),
    "ConnectionAttempts": "1",
    "ServerAliveInterval": "5",
    "LogLevel": "ERROR",
}


@contextmanager
def way_in(below: Path, key: str, hosts: Sequence[str], address: str) -> Iterator[Mapping[str, str]]:
    """Variables with which git reaches ``address``, and nothing else, within.

    Args:
        below: where the folder is made.
        key: private, in the form of OpenSSH.
        hosts: types and keys that the host may have.
        address: of the host, which was looked at.
    """
    folder = Path(tempfile.mkdtemp(prefix="ssh-", dir=below))
    try:
        identity, known = folder / "key", folder / "hosts"
        descriptor = os.open(identity, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key)
        known.write_text("".join(f"{ALIAS} {each}\n" for each in hosts))
        given = {**_OPTIONS, "HostName": address, "IdentityFile": f'"{identity}"', "UserKnownHostsFile": f'"{known}"'}
        words = ["ssh", "-F", "/dev/null", "-T", *(f"-o{name}={value}" for name, value in given.items())]
        yield {"GIT_SSH_COMMAND": shlex.join(words), "GIT_SSH_VARIANT": "ssh"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
