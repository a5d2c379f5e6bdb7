"""A certificate authority that speaks ACME, in a node's network: Debian's pebble, to which every name is the node."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.engine import Node, debian
from tests.e2e.two_nodes.certificates import Certificate
from tests.labs import eventually

_PORT, _MANAGEMENT, _DNS = 14000, 15000, "127.0.0.1:8053"


@dataclass(frozen=True, slots=True)
class Authority:
    """One that runs.

    Args:
        directory: where clients begin.
        own: whose certificate it shows to them, PEM.
        trust: whoever trusts those that it gives.
    """

    directory: str
    own: bytes
    trust: ssl.SSLContext


@contextmanager
def authority(node: Node, folder: Path, *, http_port: int) -> Iterator[Authority]:
    """Run one; ``http_port``: of the node, where it looks whether a name is its client's."""
    programs = debian.fetch("bookworm", ["pebble"]) / "usr/bin"
    own = Certificate.of(folder, node.address)
    (folder / "key.pem").write_bytes(own.key)
    (folder / "cert.pem").write_bytes(own.chain)
    settings = {
        "listenAddress": f"{node.address}:{_PORT}",
        "managementListenAddress": f"{node.address}:{_MANAGEMENT}",
        "certificate": str(folder / "cert.pem"),
        "privateKey": str(folder / "key.pem"),
        "httpPort": http_port,
        "tlsPort": http_port,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    names = ["-defaultIPv4", node.address, "-defaultIPv6", "", "-dns01", _DNS, "-management", "127.0.0.1:8055"]
    for challenge in ("http01", "https01", "tlsalpn01"):
        names += [f"-{challenge}", ""]
    commands = (
        [str(programs / "pebble-challtestsrv"), *names],
        [str(programs / "pebble"), "-config", str(folder / "pebble.json"), "-dnsserver", _DNS],
    )
    started = [
        subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *node.daemon.sandbox.network_command(*command)],
            env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PATH": "/usr/bin:/bin"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        root = eventually(lambda: _root(node, own), seconds=20, what="the authority has a root")
        trust = ssl.create_default_context(cadata=root)
        yield Authority(f"https://{node.address}:{_PORT}/dir", own.root, trust)
    finally:
        for process in started:
            process.kill()
            process.wait()


def _root(node: Node, own: Certificate) -> str:
    """Of what it gives; empty: it does not answer yet."""
    url = f"https://{node.address}:{_MANAGEMENT}/roots/0"
    try:
        with node.network(), urllib.request.urlopen(url, timeout=2, context=own.trust) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""
