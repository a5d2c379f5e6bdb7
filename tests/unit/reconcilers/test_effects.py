"""No field of a spec is silently without effect: each one is rendered, kept, or warned about."""

from __future__ import annotations

import io
from typing import Any

import pytest

from reconcilers.environment.gates import admit
from reconcilers.environment.service import render
from reconcilers.objects import Objects
from specs.doubts import doubts
from specs.kinds import KINDS
from specs.loader import STDIN, load
from specs.problems import NotSupported
from specs.releases import MARKS
from specs.snapshots import EnvironmentSnapshot
from tests.unit.reconcilers.documents import HOME, OPTIONS, domain, environment, plan, process

RENDERED: dict[str, dict[str, tuple[str, Any]]] = {
    "Environment": {
        "image": ("image_ref", "registry.example.com/shop:2"),
        "plan": ("plan", plan()),
        "command": ("entrypoint", ["other"]),
        "args": ("cmd", ["other"]),
        "replicas": ("instances", 3),
        "port": ("port", 9000),
        "cpu": ("cpu_limit", 0.125),
        "memory": ("memory_mb", 96),
        "healthcheck": ("healthcheck", {"disabled": True}),
        "stop_grace_period": ("stop_grace_seconds", 33),
        "drain": ("drain_seconds", 7),
        "stop_signal": ("stop_signal", "SIGQUIT"),
        "restart": ("restart", "on-failure"),
        "ulimits": ("ulimits", {"nofile": 2048}),
        "sysctls": ("sysctls", {"net.core.somaxconn": 9}),
        "extra_hosts": ("extra_hosts", {"db": "10.1.2.3"}),
        "files": ("files", {"/etc/app.conf": "a = 1"}),
        "region": ("region", "eu"),
        "pool": ("pool", "gpu"),
        "spread": ("spread", "zone"),
        "read_only_root_filesystem": ("read_only_root", False),
        "init": ("init", False),
        "tmpfs": ("tmpfs_paths", ["/other"]),
        "run_as": ("run_as", "7:7"),
        "canary": ("canary", {"tasks": 1}),
        "restart_token": ("restart_token", "1"),
    },
    "Process": {
        "command": ("command", ["other"]),
        "args": ("args", ["other"]),
        "replicas": ("instances", 3),
        "port": ("port", 9000),
        "healthcheck": ("healthcheck", {"disabled": True}),
        "stop_grace_period": ("stop_grace_seconds", 33),
        "drain": ("drain_seconds", 7),
        "stop_signal": ("stop_signal", "SIGQUIT"),
        "restart": ("restart", "on-failure"),
        "restart_token": ("restart_token", "1"),
    },
    "Domain": {"process": ("process_type", "api")},
    "Plan": {"cpu": ("cpu_limit", 0.125), "memory": ("memory_mb", 96), "pids": ("pids_limit", 7)},
}
"""By kind and field: the column in the snapshot, and a value of it that changes what is on the Swarm."""
FIELDS = [(kind, field) for kind, cls in KINDS.items() for field in cls.model_fields["spec"].annotation.model_fields]  # type: ignore[union-attr] # a Spec
ELSEWHERE = {
    ("Environment", "suspended"),
    ("App", "display_name"),
    ("App", "suspended"),
    ("Organization", "display_name"),
    ("Organization", "owner"),
    ("Organization", "suspended"),
    ("Organization", "network_prefix"),
    ("Organization", "quota_apps"),
    ("Organization", "quota_environments"),
    ("Organization", "quota_tasks"),
    ("Organization", "quota_cores"),
    ("Organization", "quota_memory"),
    ("Organization", "quota_domains"),
    ("Organization", "quota_config_vars"),
    ("Registry", "username"),
    *(each for each in FIELDS if each[0] == "Source"),
    *(each for each in FIELDS if each[0] == "ImagePolicy"),
    *(each for each in FIELDS if each[0] == "Run"),
    ("Environment", "follow"),
    ("Environment", "release"),
    ("Environment", "deploy_mode"),
    ("Plan", "description"),
    ("Plan", "price_hourly"),
    ("Plan", "price_monthly"),
    ("Plan", "enabled"),
    ("Buildpack", "id"),
    ("Buildpack", "enabled"),
    ("Stack", "description"),
    ("Stack", "enabled"),
    *(each for each in FIELDS if each[0] == "Template" and each[1] != "stack"),
}
"""Shown to people, or done by the database and the loop: who is suspended runs no task, a plan that is not
enabled is refused to new environments, a tag that is followed is asked about, the content of a release takes the place
of the document's, an owner gets a row, a prefix is what the address plan gives, what an image policy forbids is refused
or stopped, what exceeds a quota is not taken, what is not offered tenants do not see, and of a template apps are made.
"""
IN_ROWS = {"ports": [8080], "volumes": ["data"]}
"""Columns of an environment that nothing is built for: they stall it."""
BOUND = {"organization", "app", "id", "name", "swarm_name", "processes", "domains", "plan", "suspended", "deploy_mode"}
BOUND |= {"resolved", "config", "registries", "release", "pinned", "left_out", "by_tag", *MARKS}
BOUND |= {"of_run", "image_policy", "verdict", "withheld", "stopped_images", "follow_seconds", "followed"}
"""What else a snapshot has: whose it is, its parts, what is set for it, which registries know its organization, what
was found out of its image, what image policies say of it, and its releases, with what these mark."""
WRITTEN = """
apiVersion: skypanel.io/v1
kind: Plan
metadata: {name: small}
spec: {cpu: 1, memory: 64Mi, storageGb: 10, bandwidthGb: 5, autoscaling: true}
---
apiVersion: skypanel.io/v1
kind: App
metadata: {name: shop, organization: acme}
spec: {repoUrl: "https://example.com/shop.git", buildpack: ruby}
---
apiVersion: skypanel.io/v1
kind: Environment
metadata: {name: production, app: shop, organization: acme}
spec: {deployMode: buildpack, replicas: 3, port: 8080, healthcheck: {command: [x]}}
---
apiVersion: skypanel.io/v1
kind: Process
metadata: {name: worker, environment: production, app: shop, organization: acme}
"""


def rendered(kind: str, column: str = "", value: Any = None) -> Objects:
    """The services of one environment, with this value in a column of this kind's."""
    change = {column: value} if column else {}
    parts: dict[str, Any] = dict(change) if kind == "Environment" else {}
    port = None if column == "restart" else 8080  # what may end answers nobody
    if kind in ("Environment", "Process") and port is None:
        parts["port"] = None
    if kind == "Process":
        parts["processes"] = [process("web", **{"port": port, **change})]
    if kind == "Domain":
        both = [process("web", port=8080), process("api", port=8081)]
        parts |= {"processes": both, "domains": [{**domain("a.example.com"), **change}]}
    if kind == "Plan":
        parts["plan"] = plan(**change)
    return render(environment(**parts), OPTIONS, HOME)


def warned_of(text: str) -> list[str]:
    return list(doubts(load([STDIN], stdin=io.BytesIO(text.encode())), lambda _resource, _kind: ()))


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_every_field_is_rendered_kept_or_warned_about(kind: str, field: str) -> None:
    does = [
        field in RENDERED.get(kind, {}),
        (kind, field) in ELSEWHERE,
        field in KINDS[kind].facts.inert,
    ]
    assert does.count(True) == 1, f"{kind}.{field}: what does it do?"
    if does[0]:
        column, value = RENDERED[kind][field]
        assert rendered(kind, column, value) != rendered(kind)


@pytest.mark.parametrize("column", IN_ROWS)
def test_what_is_not_built_is_named_in_a_row_with_what_to_do(column: str) -> None:
    with pytest.raises(NotSupported) as error:
        admit(environment(**{column: IN_ROWS[column]}), OPTIONS)
    assert column in str(error.value)
    assert "has no effect yet" in str(error.value)


def test_every_column_of_an_environment_is_one_of_these() -> None:
    known = {column for column, _ in RENDERED["Environment"].values()} | IN_ROWS.keys() | BOUND
    assert set(EnvironmentSnapshot.model_fields) == known


def test_what_is_written_and_has_no_effect_is_named_with_its_place() -> None:
    told = warned_of(WRITTEN)
    assert told[0] == (
        "<stdin>:5:30: Plan small: spec.storageGb: "
        "has no effect yet: nothing is limited by it, it is for the price list"
    )
    named = {text.split(": ")[2] for text in told}
    assert named == {
        *("spec.storageGb", "spec.bandwidthGb", "spec.autoscaling", "spec.repoUrl", "spec.buildpack"),
        *("spec.replicas", "spec.port", "spec.healthcheck"),
    }
    (replicas,) = [text for text in told if "replicas" in text]
    assert replicas.endswith("has no effect, as it has a Process (say it there: worker)")


def test_what_another_part_still_takes_or_says_nothing_is_not_named() -> None:
    text = WRITTEN.replace("name: worker", "name: web").replace(
        "deployMode: buildpack, replicas: 3", "image: web, replicas: 1"
    )
    assert [t for t in warned_of(text) if "Environment" in t] == []
