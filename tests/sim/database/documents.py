"""The documents that the snapshot views give, made of a row's columns; what is not said has the table's default.

``tests/conformance`` proves them equal to the views'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from controller.records import Key

_ENVIRONMENT: Mapping[str, Any] = {
    "suspended": False,
    "deploy_mode": "image",
    "image_ref": "web:1",
    "entrypoint": None,
    "cmd": None,
    "instances": 1,
    "cpu_limit": None,
    "memory_mb": None,
    "port": None,
    "ports": [],
    "volumes": [],
    "healthcheck": None,
    "stop_grace_seconds": 10,
    "drain_seconds": None,
    "read_only_root": True,
    "stop_signal": None,
    "restart": None,
    "tmpfs_paths": ["/tmp"],
    "run_as": None,
    "ulimits": None,
    "sysctls": None,
    "extra_hosts": None,
    "files": None,
    "init": True,
    "region": None,
    "pool": None,
    "spread": None,
    "canary": None,
    "follow_seconds": None,
    "followed": None,
    "restart_token": None,
    "config": None,
    "resolved": None,
    "registries": None,
    "image_policy": None,
    "verdict": None,
    "stopped_images": None,
    "plan": None,
    "processes": [],
    "domains": [],
    "release": None,
    "pinned": None,
}
_PROCESS: Mapping[str, Any] = {
    "command": None,
    "args": None,
    "instances": 1,
    "port": None,
    "healthcheck": None,
    "stop_grace_seconds": None,
    "drain_seconds": None,
    "stop_signal": None,
    "restart": None,
    "restart_token": None,
    "generation": 1,
}


def organization(key: Key, slug: str, **columns: Any) -> dict[str, Any]:
    """``skypanel.snapshot_organization`` of ``key``; the name is the slug."""
    return {
        "id": key.id,
        "slug": slug,
        "name": slug,
        "suspended": False,
        "network_prefix": 24,
        "policies": [],
        "suspended_hosts": [],
        "resuming_hosts": [],
        **columns,
    }


def environment(key: Key, owner: tuple[Key, str], app: tuple[str, str], name: str, **columns: Any) -> dict[str, Any]:
    """``skypanel.snapshot_environment`` of ``key``.

    Args:
        key: of the environment.
        owner: key and slug of its organization.
        app: id and slug of its app.
        name: its name.
        columns: of its row; ``plan``, ``processes``, ``domains`` as the view gives them (see ``process``, ``domain``).
    """
    return {
        "id": key.id,
        "name": name,
        "swarm_name": f"{owner[1]}-{app[1]}-{name}",
        "organization": {"id": owner[0].id, "slug": owner[1]},
        "app": {"id": app[0], "slug": app[1]},
        **_ENVIRONMENT,
        **columns,
    }


def process(process_id: str, type_: str, **columns: Any) -> dict[str, Any]:
    """One of an environment's ``processes``, which the view orders by type."""
    return {"id": process_id, "type": type_, **_PROCESS, **columns}


def domain(domain_id: str, hostname: str, process_type: str = "web", generation: int = 1) -> dict[str, Any]:
    """One of an environment's ``domains``, which the view orders by host name."""
    return {"id": domain_id, "hostname": hostname, "process_type": process_type, "generation": generation}


def image_facts(key: Key) -> tuple[str, tuple[tuple[str, object], ...]]:
    """Where the row of ``paas_image_facts`` of an environment is, among the rows that kinds write."""
    return "paas_image_facts", (("environment_id", key.id),)


def with_facts(document: bytes, facts: Mapping[str, object]) -> bytes:
    """``document`` as the view gives it, where something was found out of an image: of the one that is named now."""
    found = orjson.loads(document)
    if not isinstance(found, dict) or found.get("image_ref") != facts["reference"]:
        return document
    said = {name.removeprefix("follow_"): value for name, value in facts.items() if name.startswith("follow_")}
    said["moved_from"] = said.pop("from", None)
    followed = said if said.get("reason") or said["moved_from"] else None
    resolved = {n: value for n, value in facts.items() if n != "environment_id" and not n.startswith("follow_")}
    return orjson.dumps({**found, "resolved": resolved, "followed": followed})


def verdicts(key: Key) -> tuple[str, tuple[str, object]]:
    """Where the rows of ``caas_image_verdicts`` of an environment are, among the rows that kinds write."""
    return "caas_image_verdicts", ("environment_id", key.id)


def with_verdicts(document: bytes, rows: Sequence[Mapping[str, object]]) -> bytes:
    """``document`` as the view gives it, where something was judged of images of it; the newest of ``rows`` last."""
    found = orjson.loads(document)
    if not isinstance(found, dict):
        return document
    verdict = {name: value for name, value in rows[-1].items() if name != "environment_id"}
    stopped = sorted(str(row["image"]) for row in rows if row["verdict"] == "stopped")
    return orjson.dumps({**found, "verdict": verdict, "stopped_images": stopped or None})
