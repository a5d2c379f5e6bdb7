"""A service that runs on a Swarm as the service of a Compose file that would have made it. Pure.

So what a live service becomes, and what of it has no counterpart, is said in one place for both. Values of its
variables are not in it; a dollar is written twice, as nothing is to be filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from specs.dump import dump_documents

_NANO = 10**9
_STACK = "com.docker.stack."
STACK = f"{_STACK}namespace"
"""The label that says which stack a service is of."""
_PORT = "PORT"


def variables(spec: Mapping[str, Any]) -> dict[str, str]:
    """What a service sets for its tasks, by name; the last of a name counts."""
    given = (entry.partition("=") for entry in _container(spec).get("Env") or ())
    return {name: value for name, _, value in given}


def mode(spec: Mapping[str, Any]) -> str:
    """``replicated``, ``global``, or that of a job."""
    modes = spec.get("Mode") or {}
    return next((name for name in ("Global", "ReplicatedJob", "GlobalJob") if modes.get(name) is not None), "").lower()


def compose_text(specs: Sequence[Mapping[str, Any]], named: Callable[[str], str]) -> str:
    """The text of a Compose file of services.

    Args:
        specs: as the engine has them.
        named: what a service is called in it, by its name on the engine.
    """
    services = {named(str(spec["Name"])): _service(spec) for spec in specs}
    return dump_documents([_plain({"services": services})])


def _service(spec: Mapping[str, Any]) -> dict[str, Any]:
    template, container = spec.get("TaskTemplate") or {}, _container(spec)
    port = variables(spec).get(_PORT, "")
    found = {
        "image": container.get("Image"),
        "entrypoint": container.get("Command"),
        "command": container.get("Args"),
        "expose": [port] if port.isdecimal() else None,
        "working_dir": container.get("Dir"),
        "hostname": container.get("Hostname"),
        "user": container.get("User"),
        "group_add": container.get("Groups"),
        "tty": container.get("TTY"),
        "stdin_open": container.get("OpenStdin"),
        "read_only": container.get("ReadOnly"),
        "init": container.get("Init"),
        "stop_signal": container.get("StopSignal"),
        "stop_grace_period": _time(container.get("StopGracePeriod")),
        "healthcheck": _check(container.get("Healthcheck") or {}),
        "extra_hosts": [":".join(reversed(entry.split(None, 1))) for entry in container.get("Hosts") or ()],
        "dns": (container.get("DNSConfig") or {}).get("Nameservers"),
        "cap_add": container.get("CapabilityAdd"),
        "cap_drop": container.get("CapabilityDrop"),
        "sysctls": container.get("Sysctls"),
        "ulimits": {
            each["Name"]: {"soft": each.get("Soft"), "hard": each.get("Hard")}
            for each in container.get("Ulimits") or ()
        },
        "volumes": [_mount(each) for each in container.get("Mounts") or ()],
        "secrets": [each.get("SecretName") for each in container.get("Secrets") or ()],
        "configs": [each.get("ConfigName") for each in container.get("Configs") or ()],
        "ports": [
            {"target": each.get("TargetPort"), "published": each.get("PublishedPort"), "protocol": each.get("Protocol")}
            for each in (spec.get("EndpointSpec") or {}).get("Ports") or ()
        ],
        "logging": template.get("LogDriver"),
        "deploy": _deploy(spec, template),
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], {}, False)}


def _deploy(spec: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    modes, limits = spec.get("Mode") or {}, (template.get("Resources") or {}).get("Limits") or {}
    found = {
        "replicas": (modes.get("Replicated") or {}).get("Replicas"),
        "mode": mode(spec) or None,
        "labels": {name: value for name, value in (spec.get("Labels") or {}).items() if not name.startswith(_STACK)},
        "placement": {"constraints": (template.get("Placement") or {}).get("Constraints")}
        if (template.get("Placement") or {}).get("Constraints")
        else None,
        "restart_policy": {"condition": "on-failure"}
        if (template.get("RestartPolicy") or {}).get("Condition") == "on-failure"
        else None,
        "resources": {
            "limits": {
                name: value
                for name, value in (
                    ("cpus", str(limits["NanoCPUs"] / _NANO) if limits.get("NanoCPUs") else None),
                    ("memory", str(limits["MemoryBytes"]) if limits.get("MemoryBytes") else None),
                    ("pids", limits.get("Pids")),
                )
                if value
            }
        }
        if limits
        else None,
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}


def _check(check: Mapping[str, Any]) -> dict[str, Any]:
    if not check.get("Test"):
        return {}
    times = {
        "interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod", "start_interval": "StartInterval",
    }  # fmt: skip
    found = {"test": check["Test"], "retries": check.get("Retries")}
    found |= {name: _time(check.get(field)) for name, field in times.items()}
    return {name: value for name, value in found.items() if value}


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    found = {"type": mount.get("Type"), "source": mount.get("Source"), "target": mount.get("Target")}
    size = (mount.get("TmpfsOptions") or {}).get("SizeBytes")
    return {name: value for name, value in found.items() if value} | ({"tmpfs": {"size": size}} if size else {})


def _time(nanoseconds: int | None) -> str | None:
    return f"{nanoseconds}ns" if nanoseconds else None


def _container(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}
    return found


def _plain(value: Any) -> Any:
    """With each dollar written twice."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
