"""What may be put into a column, by its type and its name: forms that are likely to be taken, and anything at all.

A value is text, a list, bytes, a number or None; the statement casts it to the column's type. Documents are texts, as
what Python's JSON cannot write is just what a reader must be tried with.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_ODD = st.sampled_from(
    [
        "",
        " ",
        "\n",
        "{{.Node.Hostname}}",
        "`) || PathPrefix(`/",
        "\x7f",
        "\u202e",
        "é",
        "\U0001f600",
        "%s",
        "'\"\\",
        "$(id)",
    ]
)
texts = (
    st.text(_CHARACTERS, max_size=40)
    | _ODD
    | st.builds(lambda unit, times: unit * times, st.sampled_from(["x", "é", "a/"]), st.integers(1, 5000))
    | st.sampled_from(["x" * 70_000, "x" * 300_000])
)
slugs = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
words = st.lists(texts | st.sampled_from(["/bin/app", "--port", "{{.Task.Slot}}"]), max_size=6)
_MANY = st.integers(200, 300).map(lambda count: ["w"] * count)
text_lists = words | _MANY | st.just([None]) | st.lists(st.lists(st.just("a"), min_size=2, max_size=2), max_size=2)
numbers = (
    st.integers(-(10**30), 10**30).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.sampled_from(
        ["0", "-0", "1e400", "-1e400", "1e-400", "0.0001", "18446744073709551616", "3.0", "1" + "0" * 500]
    )
)
_SCALARS = st.none() | st.booleans() | st.text(_CHARACTERS, max_size=20)
_plain = st.recursive(
    _SCALARS.map(json.dumps) | numbers,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]")
        | st.dictionaries(st.text(_CHARACTERS, max_size=8), inner, max_size=4).map(
            lambda members: "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"
        )
    ),
    max_leaves=12,
)
_deep = st.sampled_from([16, 17, 64, 65, 500, 1100, 3000]).flatmap(
    lambda levels: st.sampled_from(["[" * levels + "]" * levels, '{"a":' * levels + "1" + "}" * levels])
)
_wide = st.sampled_from([json.dumps(["x" * 20_000]), json.dumps(["x" * 300_000]), json.dumps(list(range(5000)))])
documents = _plain | _deep | _wide


def _document(members: dict[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"


_times = st.sampled_from(["10", "0.5", "1e-3", "86400", "0"]) | numbers | _plain
_ports = st.sampled_from(["80", "true", "0", "65536", "80.0"]) | numbers
_requests = st.fixed_dictionaries(
    {}, optional={"path": texts.map(json.dumps) | st.sampled_from(['"/"', '"/up?a=b"', '"/a b"']), "port": _ports}
).map(_document)
healthchecks = st.fixed_dictionaries(
    {},
    optional={
        "http": _requests | _plain,
        "tcp": _ports | _plain,
        "start_interval_seconds": _times,
        "command": words.map(json.dumps) | st.just('["/bin/check"]') | _plain,
        "interval_seconds": _times,
        "timeout_seconds": _times,
        "start_period_seconds": _times,
        "retries": st.sampled_from(["1", "3", "3.0", "100", "101"]) | numbers,
        "disabled": st.sampled_from(["true", "false", "1"]),
        "interval": st.just('"10s"'),
    },
).map(_document) | st.just('{"disabled": true}')

moments = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | st.sampled_from(
    ["now", "infinity", "-infinity", "10000-01-01", "294276-12-31", "4713-01-01 BC", "3000-01-01 00:00Z", "epoch"]
)
images = st.sampled_from(
    ["web:1", "registry.example.com:5000/a/b:1.2", "x@sha256:" + "0" * 64, "[2001:db8::1]/x", "169.254.169.254/x"]
) | st.from_regex(r"([a-z0-9.-]{1,12}(:[0-9]{1,6})?/)?[a-z0-9._/-]{1,30}(:[\w.-]{1,20})?", fullmatch=True)
hostnames = st.lists(slugs, min_size=1, max_size=3).map(lambda labels: ".".join([*labels, "example"]))
paths = st.lists(
    st.sampled_from(["/tmp", "/tmp/", "/var/cache/app", "/proc/x", "/{{.Task.ID}}", "/a b", "/ü"])
    | st.from_regex(r"(/[!-~]{1,8}){1,3}", fullmatch=True),
    max_size=4,
)
paths |= st.lists(st.sampled_from(["/tmp:size=128Mi", "/data:size=4Mi", "/tmp:size=3Mi", "/x:size=1Gi"]), max_size=3)
ulimits = st.fixed_dictionaries(
    {},
    optional={
        "nofile": st.sampled_from(["1024", "65536", "1048577"]) | numbers,
        "memlock_mb": st.sampled_from(["4", "64", "3"]) | numbers,
        "nproc": st.just("10"),
    },
).map(_document)
canaries = st.fixed_dictionaries(
    {},
    optional={
        "tasks": st.sampled_from(["1", "3", "1001", "1.0"]) | numbers,
        "share": st.sampled_from(["20", "99", "100"]) | numbers,
        "quiet_seconds": st.sampled_from(["1", "86400", "86401"]) | numbers,
    },
).map(_document)
sysctls = st.fixed_dictionaries(
    {},
    optional={
        "net.core.somaxconn": st.sampled_from(["4096", '"4096"', "4096.0"]) | numbers,
        "net.ipv4.ip_local_port_range": st.sampled_from(['"2000 3000"', '"3000 2000"', '"2000  3000"']),
        "kernel.msgmax": st.just("1"),
    },
).map(_document)
extra_hosts = st.dictionaries(
    slugs | texts,
    st.sampled_from(["10.1.2.3", "2001:db8::7", "127.0.0.1", "::1", "010.1.2.3", "999.1.2.3", "2001:DB8::7", "1:::2"]),
    max_size=4,
).map(json.dumps)
files = st.dictionaries(
    st.sampled_from(["/etc/app.conf", "/app/x", "/tmp", "/proc/x", "/.skypanel/env", "a", "/{{.Node.ID}}"]) | texts,
    texts,
    max_size=4,
).map(json.dumps)
users = st.from_regex(r"[0-9]{1,11}(:[0-9]{1,11})?", fullmatch=True)

_OF_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "character varying": texts,
    "text[]": text_lists,
    "jsonb": documents,
    "boolean": st.booleans(),
    "smallint": st.integers(0, 40) | st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-2, 70_000) | st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "numeric": numbers | st.sampled_from(["NaN", "Infinity", "-Infinity", "0.25", "999.999"]),
    "timestamp with time zone": moments,
    "bytea": st.binary(max_size=100) | st.sampled_from([b"x" * 70_000]),
    "inet": st.sampled_from(["10.0.0.1", "10.0.0.0/8", "::1"]),
}
_OF_NAME: dict[str, st.SearchStrategy[Any]] = {
    "image_ref": images,
    "hostname": hostnames,
    "tmpfs_paths": paths,
    "run_as": users,
    "healthcheck": healthchecks,
    "slug": slugs,
    "name": slugs,
    "region": slugs,
    "pool": slugs,
    "spread": slugs,
    "release": st.integers(1, 9),
    "stop_signal": st.sampled_from(["SIGTERM", "SIGQUIT", "SIGKILL", "15"]),
    "restart": st.sampled_from(["always", "on-failure", "unless-stopped", "no"]),
    "drain_seconds": st.integers(-1, 20) | st.integers(),
    "restart_token": st.sampled_from(["1", "2026-11-27T09:30:00Z", "", "a b", "x" * 65]),
    "ulimits": ulimits,
    "canary": canaries,
    "follow_seconds": st.sampled_from([60, 300, 86_400, 59, 86_401]) | st.integers(),
    "sysctls": sysctls,
    "extra_hosts": extra_hosts,
    "files": files,
    "type": st.sampled_from(["web", "worker", "release2"]),
    "process_type": st.sampled_from(["web", "worker", "nobody"]),
    "deploy_mode": st.sampled_from(["image", "buildpack"]),
    "entrypoint": words,
    "cmd": words,
    "command": words,
    "args": words,
    "cpu_limit": st.sampled_from(["0.001", "0.25", "64", "999.999"]),
    "memory_mb": st.integers(4, 100_000),
    "pids_limit": st.integers(1, 5000),
    "ports": st.just("[]"),
    "volumes": st.just("[]"),
}


def of(name: str, type_: str) -> st.SearchStrategy[Any]:
    """Values for a column; half of them of a form that its name lets expect."""
    wild = st.none() | _OF_TYPE[type_]
    return _OF_NAME[name] | wild if name in _OF_NAME else wild


KNOWN_TYPES = frozenset(_OF_TYPE)
