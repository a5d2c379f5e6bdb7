"""What the engine keeps of a service's specification: known fields, without empty ones, with its defaults.

The tables follow the engine's types (moby api/types/swarm) and what its conversions add; ``tests/conformance`` compares
the outcome field by field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.sim.swarm.base import Refusal

Keep = Callable[[Any], Any]
GONE = object()


def _always(default: Any) -> Keep:
    return lambda value: default if value is None else value


def _omitempty(value: Any) -> Any:
    return value or GONE


def _pointer(value: Any) -> Any:
    return GONE if value is None else value


def _record(fields: Mapping[str, Keep]) -> Keep:
    """An object: the fields of the table; names match in any case, as Go's decoder has it."""
    by_lower = {name.lower(): name for name in fields}
    missing = {name: found for name, keep in fields.items() if (found := keep(None)) is not GONE}

    def keep(value: Any) -> Any:
        if value is None:
            return GONE
        kept = dict(missing)
        for key, item in value.items():
            name = key if key in fields else by_lower.get(key.lower())
            if name is not None and item is not None and (found := fields[name](item)) is not GONE:
                kept[name] = found
        return kept

    return keep


def _list(item: Keep) -> Keep:
    return lambda value: [item(each) for each in value] if value else GONE


def _word(default: str) -> Keep:
    return lambda value: value or default


def _one_of(default: str, *others: str) -> Keep:
    return lambda value: value if value in others else default


_FILE = _record({"Name": _always(""), "UID": _always(""), "GID": _always(""), "Mode": _always(0)})
_PRIVILEGES = _record(
    {
        "CredentialSpec": _always(None),
        "SELinuxContext": _always(None),
        "Seccomp": _record({"Mode": _one_of("default", "unconfined", "custom"), "Profile": _omitempty}),
        "AppArmor": _record({"Mode": _one_of("default", "disabled")}),
        "NoNewPrivileges": _always(False),
    }
)
_MOUNT = _record(
    {
        "Type": _omitempty,
        "Source": _omitempty,
        "Target": _omitempty,
        "ReadOnly": _omitempty,
        "Consistency": _omitempty,
        "BindOptions": _record({"Propagation": _omitempty, "NonRecursive": _omitempty}),
        "VolumeOptions": _record({"NoCopy": _omitempty, "Labels": _omitempty, "DriverConfig": _pointer}),
        "TmpfsOptions": _record({"SizeBytes": _omitempty, "Mode": _omitempty}),
    }
)
_HEALTH = _record(dict.fromkeys(("Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"), _omitempty))
_CONTAINER = _record(
    {
        **dict.fromkeys(
            ("Image", "Labels", "Command", "Args", "Hostname", "Env", "Dir", "User", "Groups", "StopSignal", "TTY"),
            _omitempty,
        ),
        **dict.fromkeys(("OpenStdin", "ReadOnly", "Hosts", "Sysctls", "CapabilityAdd", "CapabilityDrop"), _omitempty),
        "Privileges": _PRIVILEGES,
        "Init": _pointer,
        "Mounts": _list(_MOUNT),
        "StopGracePeriod": _pointer,
        "Healthcheck": _HEALTH,
        "DNSConfig": _record(dict.fromkeys(("Nameservers", "Search", "Options"), _omitempty)),
        "Secrets": _list(_record({"File": _FILE, "SecretID": _always(""), "SecretName": _always("")})),
        "Configs": _list(_record({"File": _FILE, "ConfigID": _always(""), "ConfigName": _always("")})),
        "Isolation": _word("default"),
        "Ulimits": _list(_record({"Name": _always(""), "Hard": _always(0), "Soft": _always(0)})),
    }
)
_TEMPLATE = _record(
    {
        "ContainerSpec": _CONTAINER,
        "Resources": _record(
            {
                "Limits": _record(dict.fromkeys(("NanoCPUs", "MemoryBytes", "Pids"), _omitempty)),
                "Reservations": _record(dict.fromkeys(("NanoCPUs", "MemoryBytes", "GenericResources"), _omitempty)),
            }
        ),
        "RestartPolicy": _record(
            {"Condition": _word("any"), "Delay": _pointer, "MaxAttempts": _always(0), "Window": _pointer}
        ),
        "Placement": _record(dict.fromkeys(("Constraints", "Preferences", "MaxReplicas", "Platforms"), _omitempty)),
        "Networks": _list(_record({"Target": _omitempty, "Aliases": _omitempty, "DriverOpts": _omitempty})),
        "LogDriver": _record({"Name": _omitempty, "Options": _omitempty}),
        "ForceUpdate": _always(0),
        "Runtime": _word("container"),
    }
)
_UPDATE = _record(
    {
        "Parallelism": _always(0),
        "Delay": _omitempty,
        "FailureAction": _word("pause"),
        "Monitor": _omitempty,
        "MaxFailureRatio": _always(0),
        "Order": _word("stop-first"),
    }
)
_PORT = _record(
    {
        "Name": _omitempty,
        "Protocol": _word("tcp"),
        "TargetPort": _omitempty,
        "PublishedPort": _omitempty,
        "PublishMode": _word("ingress"),
    }
)
_SERVICE = _record(
    {
        "Name": _omitempty,
        "Labels": _always({}),
        "TaskTemplate": _TEMPLATE,
        "Mode": _record(
            {
                "Replicated": _record({"Replicas": _pointer}),
                "Global": _record({}),
                "ReplicatedJob": _record({"MaxConcurrent": _pointer, "TotalCompletions": _pointer}),
                "GlobalJob": _record({}),
            }
        ),
        "UpdateConfig": _UPDATE,
        "RollbackConfig": _UPDATE,
        "EndpointSpec": _record({"Mode": _word("vip"), "Ports": _list(_PORT)}),
    }
)


def stored_service(written: Any) -> dict[str, Any]:
    """The specification as the engine keeps it.

    Raises:
        Refusal: 400, it is not a document of this form.
    """
    if not isinstance(written, Mapping) or not isinstance(written.get("Name", ""), str | None):
        raise Refusal(400, "invalid JSON: json: cannot unmarshal into Go struct field ServiceSpec.Annotations.Name")
    try:
        spec: dict[str, Any] = _SERVICE(written)
    except (AttributeError, TypeError) as error:
        raise Refusal(400, f"invalid JSON: json: cannot unmarshal: {error}") from error
    spec.setdefault("TaskTemplate", _TEMPLATE({}))
    mode = spec.get("Mode") or {}
    if len(mode) > 1:
        raise Refusal(400, "must specify only one service mode")
    if "ReplicatedJob" in mode:
        most = mode["ReplicatedJob"].get("MaxConcurrent", 1)
        mode = {"ReplicatedJob": {"MaxConcurrent": most, "TotalCompletions": most, **mode["ReplicatedJob"]}}
    elif not mode.keys() & {"Global", "GlobalJob"}:
        mode = {"Replicated": {"Replicas": 1, **(mode.get("Replicated") or {})}}
    spec["Mode"] = mode
    return spec
