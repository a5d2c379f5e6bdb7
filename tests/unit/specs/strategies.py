"""Resources of every kind with any spec that their models take, for tests that hold for all of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from specs import names
from specs.kinds import KINDS
from specs.resource import Resource


def matching(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern.replace("$", r"\Z"))


slugs = matching(names.SLUG_PATTERN)
hostnames = st.lists(slugs, min_size=1, max_size=3).map(lambda labels: ".".join([*labels, "example"]))
process_types = matching(names.PROCESS_TYPE_PATTERN)
lines = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=40)
words = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20), max_size=4).map(
    lambda found: tuple(found) or None
)
amounts = st.integers(1, 999_999).map(lambda milli: Decimal(milli) / 1000)
memory = st.integers(4, 2**31 - 1).map(lambda mebibytes: f"{mebibytes}Mi")
grace = st.integers(0, 3600).map(lambda seconds: timedelta(seconds=seconds))
periods = st.integers(1, 86_400_000).map(lambda milliseconds: timedelta(milliseconds=milliseconds))
counts = st.integers(0, 1000)
ports = st.none() | st.integers(1, 65535)


def prices(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.integers(0, 10**digits - 1).map(lambda units: Decimal(units).scaleb(-places))


signals = st.sampled_from([None, "SIGTERM", "SIGQUIT", "SIGWINCH"])
tokens = st.sampled_from([None, "1", "2026-11-27T09:30:00Z"])
ways = st.one_of(
    st.fixed_dictionaries({"command": words.filter(bool)}),
    st.fixed_dictionaries({"http": st.fixed_dictionaries({"path": st.sampled_from(["/", "/up?a=b"]), "port": ports})}),
    st.fixed_dictionaries({"tcp": st.just(True) | st.integers(1, 65535)}),
)
times = st.fixed_dictionaries(
    {
        "interval": periods,
        "timeout": periods,
        "retries": st.integers(1, 100),
        "start_period": periods,
        "start_interval": st.none() | periods,
    }
)
QUOTAS = ("apps", "environments", "tasks", "cores", "domains", "config_vars")
addresses = st.sampled_from(["203.0.113.7", "10.1.2.3", "2001:db8::7"])
checks = st.sampled_from([None, "none"]) | st.builds(lambda way, rest: {**way, **rest}, ways, times)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
KEY = f"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE{'A' * 86}==\n-----END PUBLIC KEY-----\n"
patterns = st.sampled_from([(), ("*",), ("docker.io/library/*", "*:latest")])
vulnerability_limits = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("critical", "high", "medium", "low", "unknown"), st.integers(0, 1_000_000)),
        "only_fixable": st.booleans(),
        "max_age_days": st.integers(1, 3650),
        "without_report": st.sampled_from(["wait", "refuse", "allow"]),
    },
)

specs: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "Organization": {
        "display_name": st.none() | lines,
        "owner": st.none() | st.just("ops@acme.example"),
        "suspended": st.booleans(),
        "network_prefix": st.integers(16, 28),
        **dict.fromkeys((f"quota_{of}" for of in QUOTAS), st.none() | counts),
        "quota_memory": st.none() | memory,
    },
    "Plan": {
        "description": st.none() | lines,
        "cpu": amounts,
        "memory": memory,
        "pids": st.integers(1, 4_194_304),
        "storage_gb": counts,
        "bandwidth_gb": st.none() | counts,
        "price_hourly": prices(12, 6),
        "price_monthly": prices(12, 4),
        "enabled": st.booleans(),
        "autoscaling": st.booleans(),
    },
    "App": {
        "display_name": lines,
        "suspended": st.booleans(),
        "repo_url": st.none() | st.just("https://git.example.com/team/app.git"),
        "buildpack": st.none() | lines,
    },
    "Environment": {
        "image": st.sampled_from(["redis", "127.0.0.1:5000/skypanel/web:1", "a/b@sha256:" + "0" * 64]),
        "deploy_mode": st.sampled_from(["image", "buildpack"]),
        "plan": st.none() | slugs,
        "region": st.none() | slugs,
        "pool": st.none() | slugs,
        "spread": st.none() | slugs,
        "command": words,
        "args": words,
        "replicas": counts,
        "port": ports,
        "cpu": st.none() | amounts,
        "memory": st.none() | memory,
        "healthcheck": checks,
        "stop_grace_period": grace,
        "drain": st.none() | grace,
        "stop_signal": signals,
        "restart": st.sampled_from([None, "always", "unless-stopped"]),
        "read_only_root_filesystem": st.booleans(),
        "init": st.booleans(),
        "tmpfs": st.sampled_from(
            [(), ("/tmp",), ("/tmp", "/var/cache/app"), ("/tmp", {"path": "/a", "size": "1536Mi"}, "/b:size=1024Mi")]
        ),
        "ulimits": st.none()
        | st.fixed_dictionaries({"nofile": st.integers(1024, 2**20), "memlock": st.none() | memory}),
        "sysctls": st.sampled_from([None, {"net.core.somaxconn": 9, "net.ipv4.ip_local_port_range": "2000 3000"}]),
        "extra_hosts": st.none() | st.dictionaries(slugs.map(lambda slug: f"x-{slug}"[:60].rstrip("-")), addresses),
        "files": st.none() | st.dictionaries(st.sampled_from(["/etc/a.conf", "/app/b", "/.c"]), texts),
        "run_as": st.none() | st.sampled_from(["0", "1000", "999:999"]),
        "release": st.none(),  # another has to be there before it is named
        "follow": st.none() | st.sampled_from([{"interval": "1m"}, {"interval": "24h"}, {}]),
        "canary": st.none() | st.sampled_from([{"tasks": 2}, {"share": "20%", "quiet": "90s"}]),
        "restart_token": tokens,
        "suspended": st.booleans(),
    },
    "Process": {
        "command": words,
        "args": words,
        "replicas": counts,
        "port": ports,
        "healthcheck": checks,
        "stop_grace_period": st.none() | grace,
        "drain": st.none() | grace,
        "stop_signal": signals,
        "restart": st.sampled_from([None, "always", "unless-stopped"]),
        "restart_token": tokens,
    },
    "Domain": {"process": process_types},
    "ImagePolicy": {
        **dict.fromkeys(("allowed_registries", "allowed_patterns", "blocked_patterns"), patterns),
        "require_digest": st.booleans(),
        "require_signed": st.booleans(),
        "signature_keys": st.sampled_from([(), (KEY,)]),
        "vulnerabilities": st.none() | vulnerability_limits,
        "enforcement": st.sampled_from(["audit", "new", "all"]),
    },
    "Registry": {"username": lines.filter(lambda text: ":" not in text and len(text) <= 255)},
}
SIGNER = "ada@acme.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO2VOLlKJzEaOzYwXvUtkFKOxXFVe1xxCFMJlzNRdSsP"
ARMOR = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"
signers = st.sampled_from([{"ssh": (SIGNER,)}, {"openpgp": (ARMOR,)}, {"ssh": (SIGNER,), "openpgp": (ARMOR,)}])
specs["Source"] = {
    "repository": st.sampled_from(["https://git.example.com/a/b.git", "http://10.0.0.1:3000/x"]),
    "directory": st.none(),  # it is the one or the other
    "branch": st.sampled_from(["main", "release/1.2"]),
    "tag": st.none() | st.sampled_from(["v1", "v1.2+3"]),
    "commit": st.none(),
    "path": st.sampled_from([".", "clusters/production"]),
    "interval": st.sampled_from(["10s", "1m30s", "24h"]),
    "prune": st.booleans(),
    "values": st.none() | st.dictionaries(st.sampled_from(["TAG", "n_1"]), st.integers(0, 9) | st.booleans() | lines),
    "verify": st.none() | signers,
    "suspended": st.booleans(),
    "username": st.none() | st.just("ada"),
}
specs["Run"] = {
    "command": st.sampled_from([("ls",), ("rake", "db:migrate")]),
    "plan": st.none(),  # another has to be there before it is named
    "timeout": st.sampled_from(["1s", "1h", "24h"]),
    "release": st.none(),
    "stopped": st.booleans(),
}
specs["Buildpack"] = {
    "id": lines,
    "version": lines,
    "source": st.sampled_from(["docker://docker.io/a/b:1", "https://buildpacks.example/python.tgz"]),
    "enabled": st.booleans(),
}
specs["Stack"] = {
    "description": st.none() | texts,
    "builder_image": st.sampled_from(["builder:1", "docker.io/a/builder:2"]),
    "run_image": st.sampled_from(["run:1", "docker.io/a/run:2"]),
    "buildpacks": st.lists(slugs, unique=True, max_size=3).map(tuple),
    "enabled": st.booleans(),
}
specs["Template"] = {
    "title": st.none() | lines,
    "description": st.none() | texts,
    "deploy_mode": st.just("image"),
    "image": st.sampled_from(["web:1", "docker.io/a/blog:2"]),
    "repo_url": st.none() | st.just("https://git.example.com/a/blog.git"),
    "stack": st.none() | slugs,
    "plan": st.none() | slugs,
    "environment": st.sampled_from([{}, {"port": 8080, "tmpfs": ["/tmp"], "readOnlyRootFilesystem": False}]),
    "processes": st.dictionaries(process_types, st.sampled_from([{}, {"replicas": 2, "args": ["work"]}]), max_size=2),
    "config": st.dictionaries(
        st.sampled_from(["A", "SECRET_KEY", "_b"]),
        st.sampled_from([{"value": "x"}, {"value": ""}, {"generate": 48}, {"required": True, "description": "why"}]),
    ),
    "enabled": st.booleans(),
}
own_names = {
    "Process": process_types,
    "Domain": hostnames,
    "Registry": hostnames,
    "ImagePolicy": st.just("default"),
}


@st.composite
def resources(draw: st.DrawFn) -> Resource:
    kind = draw(st.sampled_from(sorted(KINDS)))
    metadata_fields: Any = KINDS[kind].model_fields["metadata"].annotation
    metadata = {field: draw(slugs) for field in metadata_fields.model_fields if field != "renamed_from"}
    metadata["name"] = draw(own_names.get(kind, slugs))
    fields = {name: draw(values) for name, values in specs[kind].items()}
    return KINDS[kind].from_fields({"metadata": metadata, "spec": fields})


def resource(draw: st.DrawFn, kind: str, metadata: dict[str, str], **fixed: Any) -> Resource:
    """One of ``kind``; what is not ``fixed`` in its spec is drawn."""
    fields = {name: draw(values) for name, values in specs[kind].items() if name not in fixed}
    return KINDS[kind].from_fields({"metadata": metadata, "spec": fields | fixed})


@st.composite
def platforms(draw: st.DrawFn) -> list[Resource]:
    """Resources that a platform can have all at once: owners, ports of domains, within quotas."""
    plans = draw(st.lists(slugs, max_size=2, unique=True))
    found = [resource(draw, "Plan", {"name": plan}, enabled=True) for plan in plans]
    hosts = draw(st.lists(hostnames, max_size=3, unique=True))
    for organization in draw(st.lists(slugs, min_size=1, max_size=2, unique=True)):
        owners = {"organization": organization}
        ample = {f"quota_{of}": draw(st.sampled_from([None, 1_000_000])) for of in QUOTAS if of != "cores"}
        unlimited = {"quota_cores": None, "quota_memory": None}
        owner = {"name": organization}
        found.append(resource(draw, "Organization", owner, owner="ops@acme.example", **ample, **unlimited))
        for app in draw(st.lists(slugs, max_size=2, unique=True)):
            found.append(resource(draw, "App", {"name": app, **owners}))
            for environment in draw(st.lists(slugs, max_size=2, unique=True)):
                plan = draw(st.sampled_from([None, *plans]))
                below = {**owners, "app": app}
                found.append(resource(draw, "Environment", {"name": environment, **below}, plan=plan))
                below["environment"] = environment
                types = draw(st.lists(process_types, max_size=2, unique=True))
                for process in types:
                    port = draw(st.integers(1, 65535))
                    found.append(resource(draw, "Process", {"name": process, **below}, port=port))
                if types and hosts:
                    process = draw(st.sampled_from(types))
                    found.append(resource(draw, "Domain", {"name": hosts.pop(), **below}, process=process))
    return found
