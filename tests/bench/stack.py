"""The peer: ``docker stack deploy`` of the same services, as far as a stack file can say the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from deploy.engine import daemon
from tests.bench.harness import BenchHarness

_NAME = "bench"


def deploy(place: BenchHarness, services: list[dict[str, Any]]) -> float:
    """Seconds that one deploy takes; the networks must be there.

    Raises:
        RuntimeError: it failed; the message has its words.
    """
    with tempfile.TemporaryDirectory(prefix="skypanel-bench-") as folder:
        file = Path(folder) / "stack.json"
        file.write_text(json.dumps(compose(services)))
        environment = {**os.environ, "DOCKER_HOST": place.docker_host, "DOCKER_CONFIG": folder}
        command = [_cli(), "stack", "deploy", "--detach=true", "--resolve-image=never", "-c", str(file), _NAME]
        started = time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"docker stack deploy failed ({done.returncode}): {done.stderr.strip()[-800:]}")
    return seconds


def compose(services: list[dict[str, Any]]) -> dict[str, Any]:
    """A stack file of ``services`` (documents of the Engine API); JSON is YAML."""
    networks = {n["Target"] for s in services for n in s["TaskTemplate"]["Networks"]}
    return {
        "version": "3.9",
        "services": {s["Name"]: _service(s) for s in services},
        "networks": {name: {"external": True} for name in sorted(networks)},
    }


def _service(document: dict[str, Any]) -> dict[str, Any]:
    task = document["TaskTemplate"]
    container = task["ContainerSpec"]
    limits, reserved = task["Resources"]["Limits"], task["Resources"]["Reservations"]
    update = {"parallelism": 1, "order": "start-first", "monitor": "5s"}
    return {
        "image": container["Image"],
        "environment": container["Env"],
        "labels": container["Labels"],
        "init": True,
        "cap_drop": ["ALL"],
        "read_only": True,
        "tmpfs": ["/tmp"],
        "stop_grace_period": f"{container['StopGracePeriod']}ns",
        "ulimits": {u["Name"]: {"soft": u["Soft"], "hard": u["Hard"]} for u in container["Ulimits"]},
        "networks": {n["Target"]: {"aliases": n["Aliases"]} for n in task["Networks"]},
        "logging": {"driver": task["LogDriver"]["Name"], "options": task["LogDriver"]["Options"]},
        "deploy": {
            "mode": "replicated",
            "replicas": document["Mode"]["Replicated"]["Replicas"],
            "endpoint_mode": "dnsrr",
            "labels": document["Labels"],
            "restart_policy": {"condition": "any", "delay": "2s"},
            "update_config": {**update, "failure_action": "rollback"},
            "rollback_config": {**update, "failure_action": "pause"},
            "resources": {
                "limits": {
                    "cpus": str(limits["NanoCPUs"] / 1e9),
                    "memory": f"{limits['MemoryBytes']}b",
                    "pids": limits["Pids"],
                },
                "reservations": {
                    "cpus": str(reserved["NanoCPUs"] / 1e9),
                    "memory": f"{reserved['MemoryBytes']}b",
                },
            },
        },
    }


def _cli() -> str:
    """Docker's client of the lab's engine, else the machine's."""
    found = daemon.binaries(daemon.DEFAULT_SUITE) / "usr/bin/docker"
    path = str(found) if found.exists() else shutil.which("docker")
    if path is None:
        raise RuntimeError("no docker client: apt-get install docker-cli")
    return path
