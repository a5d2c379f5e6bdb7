"""The hosts' firewall on the nodes of a private Swarm: the script that every node of a real one gets, run in each."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from deploy.engine import Lab, LabError, Node

SCRIPT = Path(__file__).with_name("skypanel-firewall")


def apply(lab: Lab) -> None:
    """Put the table in place on every node; nothing changes where it is.

    Raises:
        LabError: a node refuses it; the message has its words.
    """
    for node in lab.nodes:
        _run(node, "apply")


def remove(lab: Lab) -> None:
    """Take it away from every node.

    Raises:
        LabError: a node refuses.
    """
    for node in lab.nodes:
        _run(node, "remove")


def status(node: Node) -> str:
    """``in place``, or what is the matter."""
    return _command(node, "status").stdout.strip()


def _run(node: Node, verb: str) -> None:
    done = _command(node, verb)
    if done.returncode:
        raise LabError(f"the firewall of node {node.index}: {done.stderr.strip() or done.stdout.strip()}")


def _command(node: Node, verb: str) -> subprocess.CompletedProcess[str]:
    path = f"{node.daemon.binaries}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    command = node.daemon.sandbox.command("env", f"PATH={path}", "bash", str(SCRIPT), verb)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
