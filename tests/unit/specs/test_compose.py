"""Compose files become spec files that ``validate`` takes; what has no counterpart is told with its place."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from specs.compose.convert import Result, Wanted, convert
from specs.compose.keys import SERVICE, TOP_LEVEL, Key
from specs.compose.project import Text, read_project
from specs.compose.values import cores, duration, mebibytes, split_words
from specs.loader import Located, SpecFilesError, load
from specs.problems import RefusedError
from specs.units import format_duration
from tests.compose_catalogue import outcomes

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests/fixtures/compose"
WRITTEN_OUT = {"init": False, "readOnlyRootFilesystem": False, "tmpfs": []}
"""What Compose has as defaults, and an environment has not."""
STANDARD = {"interval": "30s", "timeout": "30s", "retries": 3, "startPeriod": "0s"}


def imported(*texts: str, others: Mapping[str, str] | None = None, **wanted: Any) -> Result:
    def another(_file: str, named: str) -> Text:
        return named, (others or {})[named]

    files = [(f"compose{number or ''}.yaml", text) for number, text in enumerate(texts)]
    return convert(read_project(files, another), Wanted("acme", **wanted))


def resources(result: Result) -> list[Located]:
    return load(["-"], stdin=BytesIO(result.text.encode()))


def one(keys: str, **wanted: Any) -> tuple[dict[str, Any], list[str]]:
    """The environment's spec that a service of these keys becomes, and what is said of it."""
    result = imported(f"services:\n  web:\n    image: web:1\n    {keys.strip()}\n", **wanted)
    (environment,) = (e for e in resources(result) if e.resource.kind == "Environment")
    assert environment.document
    return environment.document.data["spec"], [str(note) for note in result.notes]


def problems(*texts: str, **wanted: Any) -> list[str]:
    with pytest.raises(SpecFilesError) as raised:
        imported(*texts, **wanted)
    return list(map(str, raised.value.problems))


CARRIED: dict[str, dict[str, Any]] = {
    "command: [a, 'b c']": {"args": ["a", "b c"]},
    "command: serve --name 'a b' \"c\\td\"": {"args": ["serve", "--name", "a b", "c\td"]},
    "command: 'echo a\\ b'": {"args": ["echo", "a b"]},
    "entrypoint: /run.sh": {"command": ["/run.sh"]},
    "{entrypoint: [/run.sh], command: [x]}": {"command": ["/run.sh"], "args": ["x"]},
    "{entrypoint: [], command: [a, b]}": {"command": ["a", "b"]},
    "ports: ['127.0.0.1:8080:80']": {"port": 80},
    "ports: ['[::1]:8080:80/tcp', 443]": {"port": 80},
    "ports: ['8000-8001:9000-9001']": {"port": 9000},
    "ports: [{target: 80, published: '8080', mode: host}]": {"port": 80},
    "ports: ['53:53/udp', '${PORT:-8080}:${PORT:-8080}']": {"port": 8080},
    "expose: ['3000']": {"port": 3000},
    "{expose: [3000], labels: {traefik.http.services.web.loadbalancer.server.port: 4000}}": {"port": 4000},
    "healthcheck: {test: [CMD, /bin/check, -q]}": {"healthcheck": {"command": ["/bin/check", "-q"], **STANDARD}},
    "healthcheck: {test: curl -f x || exit 1, interval: 1m30s, timeout: 1.5s, retries: 5, start_period: 2m}": {
        "healthcheck": {
            "command": ["/bin/sh", "-c", "curl -f x || exit 1"],
            "interval": "1m30s",
            "timeout": "1s500ms",
            "startPeriod": "2m",
            "retries": 5,
        }
    },
    "healthcheck: {test: [CMD-SHELL, 'exit 0']}": {"healthcheck": {"command": ["/bin/sh", "-c", "exit 0"], **STANDARD}},
    "healthcheck: {test: [NONE]}": {"healthcheck": "none"},
    "healthcheck: {disable: true}": {"healthcheck": "none"},
    "deploy: {replicas: 3}": {"replicas": 3},
    "{scale: '2', deploy: {replicas: 0}}": {"replicas": 0},
    "deploy: {resources: {limits: {cpus: '0.50', memory: 50M}}}": {"cpu": "500m", "memory": "50Mi"},
    "{cpus: 2, mem_limit: 1g}": {"cpu": "2", "memory": "1Gi"},
    "mem_limit: 67108864": {"memory": "64Mi"},
    "stop_grace_period: 1m30s": {"stopGracePeriod": "1m30s"},
    "read_only: true": {"readOnlyRootFilesystem": True},
    "read_only: 'yes'": {"readOnlyRootFilesystem": True},
    "init: true": {"init": True},
    "tmpfs: /run": {"tmpfs": ["/run"]},
    "tmpfs: [/run/, /tmp]": {"tmpfs": ["/run", "/tmp"]},
    "volumes: [{type: tmpfs, target: /cache}]": {"tmpfs": ["/cache"]},
    "tmpfs: ['/run:size=64m', /tmp]": {"tmpfs": [{"path": "/run", "size": "64Mi"}, "/tmp"]},
    "volumes: [{type: tmpfs, target: /cache, tmpfs: {size: 67108864}}]": {
        "tmpfs": [{"path": "/cache", "size": "64Mi"}]
    },
    "stop_signal: SIGQUIT": {"stopSignal": "SIGQUIT"},
    "stop_signal: INT": {"stopSignal": "SIGINT"},
    "sysctls: [net.core.somaxconn=1024]": {"sysctls": {"net.core.somaxconn": 1024}},
    "sysctls: {net.ipv4.ip_local_port_range: '15000 64000'}": {
        "sysctls": {"net.ipv4.ip_local_port_range": "15000 64000"}
    },
    "ulimits: {nofile: {soft: 2048, hard: 65536}, memlock: 67108864}": {
        "ulimits": {"nofile": 65536, "memlock": "64Mi"}
    },
    "extra_hosts: ['db.example.com:203.0.113.7', 'six.example.com=[2001:db8::7]']": {
        "extraHosts": {"db.example.com": "203.0.113.7", "six.example.com": "2001:db8::7"}
    },
    "healthcheck: {test: [CMD, a], start_interval: 2s}": {
        "healthcheck": {"command": ["a"], **STANDARD, "startInterval": "2s"}
    },
    "user: '1000:1000'": {"runAs": "1000:1000"},
    "user: 1000": {"runAs": "1000"},
    "user: root": {"runAs": "0"},
    "image: $REPO/web:${TAG-2}": {"image": "acme/web:2"},
    "cap_drop: [ALL]": {},
    "restart: unless-stopped": {},
    "restart: on-failure": {"restart": "on-failure"},
    "deploy: {restart_policy: {condition: on-failure}}": {"restart": "on-failure"},
    "deploy: {restart_policy: {condition: any}}": {},
    "x-anything: {a: b}": {},
}


@pytest.mark.parametrize("keys", CARRIED)
def test_a_key_becomes_the_field_that_means_the_same(keys: str) -> None:
    text = keys.removeprefix("image: web:1\n")
    if text.startswith("{"):
        body = f"services: {{web: {{image: web:1, {text[1:-1]}}}}}"
    elif text.startswith("image:"):
        body = f"services:\n  web:\n    {text}\n"
    else:
        body = f"services:\n  web:\n    image: web:1\n    {text}\n"
    result = imported(body, variables={"REPO": "acme"})
    spec = next(e.document.data["spec"] for e in resources(result) if e.document and e.resource.kind == "Environment")
    assert spec == {"image": "web:1", **WRITTEN_OUT, **CARRIED[keys]}


@pytest.mark.parametrize("key", sorted({*SERVICE} - {"deploy", "healthcheck", "deploy.resources"}))
def test_every_key_of_a_service_is_carried_over_or_told_with_its_line(key: str) -> None:
    """Where it is only carried over, or is so in part, the tests above and below say so."""
    known, *above = SERVICE[key], *key.split(".")
    nested: Any = SAMPLES.get(key, "something")
    for name in reversed(above):
        nested = f"{{{name}: {nested}}}"
    try:
        result = imported(f"services:\n  web:\n    image: web:1\n    <<: {nested}\n")
    except SpecFilesError as error:
        said = [str(problem) for problem in error.problems]
    else:
        said = [str(note) for note in result.notes]
    told = [text for text in said if text.startswith("compose.yaml:4:") and f": web: {key}: " in text]
    assert told or (known.becomes and key in SAMPLES), said


SAMPLES = {
    "healthcheck.start_interval": "1s",
    "stop_signal": "SIGINT",
    "build": ".",
    "cap_drop": "[ALL]",
    "command": "[a]",
    "configs": "[a]",
    "cpus": "1",
    "deploy.labels": "{traefik.enable: 'true'}",
    "deploy.replicas": "2",
    "deploy.resources.limits": "{}",
    "deploy.resources.limits.cpus": "1",
    "deploy.resources.limits.memory": "1g",
    "entrypoint": "[a]",
    "env_file": "[a.env]",
    "environment": "{A: b}",
    "expose": "['80']",
    "extends": "{service: nobody}",
    "healthcheck.disable": "true",
    "healthcheck.interval": "10s",
    "healthcheck.retries": "2",
    "healthcheck.start_period": "10s",
    "healthcheck.test": "[CMD, a]",
    "healthcheck.timeout": "10s",
    "image": "other:1",
    "init": "true",
    "labels": "{traefik.enable: 'true'}",
    "mem_limit": "1g",
    "networks": "[default]",
    "ports": "['80:80']",
    "read_only": "true",
    "restart": "always",
    "scale": "2",
    "secrets": "[a]",
    "stop_grace_period": "10s",
    "tmpfs": "/run",
    "user": "'1'",
    "volumes": "[data:/data]",
}


def test_the_tables_have_every_key_of_the_specification() -> None:
    top, services = (ROOT / "tests/unit/specs/compose_keys.txt").read_text().split("\n\n")
    assert sorted(TOP_LEVEL) == top.split()
    assert sorted(SERVICE) == sorted(services.split())
    assert [key for key, said in {**SERVICE, **TOP_LEVEL}.items() if not (said.becomes or said.why)] == []


def test_the_page_shows_the_same_tables() -> None:
    page = (ROOT / "docs/compose.md").read_text()
    for table in (TOP_LEVEL, SERVICE):
        assert "\n".join(row(key, said) for key, said in table.items()) in page


def row(key: str, said: Key) -> str:
    return f"| `{key}` | {said.becomes} | {said.why} | {said.instead} |"


TOLD = {
    "ports: ['8080:80']": "4:5: web: ports: no port of a host is opened (declare a Domain: it is the way in)",
    "ports: [80, 81]": "4:5: web: ports: the edge is given port 80 and not 81",
    "ports: ['53:53/udp']": "4:5: web: ports: port 53 over udp has no counterpart",
    "volumes: [data:/data]": '4:15: web: volumes: "data:/data": there are no volumes yet',
    "volumes: ['./a:/b:ro']": '4:15: web: volumes: "./a:/b:ro": a container gets nothing of its host',
    "volumes: [/var/run/docker.sock:/s]": "no container reaches an engine",
    "environment: {A: secret, B: null}": "4:5: web: environment: values are not written to a spec: A, B (write",
    "environment: [A=secret, B]": "lines of them into a file, and `skypanel config import acme/web/production FILE`)",
    "env_file: [web.env]": "those of web.env (`skypanel config import acme/web/production web.env`)",
    "secrets: [{source: db}]": "4:15: web: secrets: db: values are not written to a spec",
    "restart: 'no'": "4:5: web: restart: what ends is started again, and always where it answers requests",
    "restart: on-failure:3": "4:5: web: restart: what ends is started again, and always where it answers requests",
    "deploy: {restart_policy: {condition: none}}": "web: deploy.restart_policy: a program that ends is started again",
    "user: app": "4:5: web: user: a name means whatever the image says (set runAs)",
    "command: a && b": "4:5: web: command: Compose runs no shell and stops at the first of ; & | < >",
    "command: [a, $SECRET]": "4:5: web: command: the value of SECRET is in what is written",
    "command: [a, $NOT_SET]": "4:5: web: command: the variable NOT_SET is not set, and was taken as empty",
    "healthcheck: {interval: 1s}": "without a test the image's own check is taken, with its own times",
    "stop_grace_period: 500ms": "is rounded up to whole seconds",
    "stop_grace_period: 2h": "4:5: web: stopGracePeriod: is left out: 2h is not a stop grace period",
    "tmpfs: /run:mode=755": '4:5: web: tmpfs: "/run": of options only the size is carried over',
    "ulimits: {nproc: 5}": "4:5: web: ulimits: nproc: only nofile and memlock are set, to the hard limit",
    "sysctls: {kernel.shmmax: 1}": '4:5: web: sysctls: kernel.shmmax is left out: "kernel.shmmax" cannot be set',
    "extra_hosts: [host.docker.internal:host-gateway]": "host.docker.internal is left out",
    "stop_signal: SIGPIPE": "4:5: web: stopSignal: is left out",
    "tmpfs: /proc/x": "4:5: web: tmpfs: is left out",
    "labels: {a.b: c, traefik.enable: 'true'}": "4:5: web: labels: no counterpart: a.b (of labels only Traefik's",
    "labels: ['traefik.http.routers.a.rule=Host(`a.example`)']": '"a.example" leads to no port that is known',
    "networks: {a: {aliases: [b]}}": "4:16: web: networks: a: aliases and addresses are not given",
    "deploy: {mode: global}": '4:14: web: deploy.mode: "global": an environment has a number of replicas',
    "deploy: {update_config: {order: start-first}}": "4:14: web: deploy.update_config: the platform rolls out",
    "privileged: true": "4:5: web: privileged: no container gets more rights than every other",
    "imag: web": "4:5: web: imag: is not a key of Compose (did you mean image?)",
    "entrypoint: ''": "4:5: web: entrypoint: is empty",
    "command: []": "4:5: web: command: is empty",
}


@pytest.mark.parametrize("keys", TOLD)
def test_what_is_not_carried_over_is_told_with_place_reason_and_what_to_do(keys: str) -> None:
    result = imported(f"services:\n  web:\n    image: web:1\n    {keys}\n", variables={"SECRET": "hunter2"})
    said = [str(note) for note in result.notes]
    assert [text for text in said if TOLD[keys] in text], said
    assert all(f"# {text}\n" in result.text for text in said), "the file has them as comments"
    assert not [text for text in (*said, result.text) if "=secret" in text or "A: secret" in text]
    assert "hunter2" not in "".join(said)


FILLED = [
    *["image: $S", "tmpfs: '/$S:x'", "user: $S", "command: [a, $S]", "ports: ['$S']", "ports: ['$S/udp']", "cpus: $S"],
    *["labels: ['$S=x']", "labels: ['traefik.http.routers.a.rule=Host(`$S`)']", "stop_grace_period: $S", "restart: $S"],
    *["read_only: $S", "healthcheck: {test: [$S]}", "entrypoint: $S;", "networks: [$S]", "volumes: ['$S:/x']"],
    *["deploy: {mode: $S}", "expose: ['1', '$S']"],
]


@pytest.mark.parametrize("value", ["hunter2/UPPER", "8h30m", "1000.5", "4321"])
@pytest.mark.parametrize("keys", FILLED)
def test_a_value_that_was_filled_in_is_in_no_message(keys: str, value: str) -> None:
    image = "" if keys.startswith("image") else "    image: web:1\n"
    try:
        said = imported(f"services:\n  web:\n{image}    {keys}\n", variables={"S": value}).notes
    except SpecFilesError as error:
        said = error.problems
    assert value.lower() not in "\n".join(map(str, said)).lower()


NOTHING_TO_TELL = ["privileged: false", "tty: false", "cap_add: []", "environment: {}", "volumes: []", "profiles: []",
                   "deploy: {mode: replicated}", "networks: [default]"]  # fmt: skip


@pytest.mark.parametrize("keys", NOTHING_TO_TELL)
def test_what_asks_for_nothing_is_not_told(keys: str) -> None:
    assert one(keys)[1] == []


WRONG = {
    "": "has 0 documents",
    "a: b": "compose.yaml:1:1: services: is no mapping",
    "services: [a]": "compose.yaml:1:1: services: is no mapping",
    "services: {web: 5}": "services.web: is no mapping",
    "services: {web: {image: a, image: b}}": '"image" is given twice',
    "services: {web: {image: a, ports: 80}}": "web: ports: is not a list of ports",
    "services: {web: {image: a, ports: [x]}}": "web: ports: has an entry that is not a port",
    "services: {web: {image: a, ports: ['${PORT}']}}": "web: ports: the variable PORT is not set",
    "services: {web: {image: a, ports: ['70000']}}": "has a port that is none",
    'services: {web: {image: a, command: "\'"}}': "web: command: cannot be split",
    "services: {web: {image: a, healthcheck: x}}": "web: healthcheck: is no mapping",
    "services: {web: {image: a, healthcheck: {test: [a]}}}": "web: healthcheck.test: is not a test",
    "services: {web: {image: a, environment: 5}}": "web: environment: is neither",
    "services: {web: {image: '${A:?}'}}": "web: image: needs the variable A, which is not set",
    "services: {web: {image: '${A'}}": "web: image: has a ${ that is not ended",
    "services: {web: {image: '${A!b}'}}": "in braces with what Compose does not know",
    "services: {web: {extends: web}}": "extends itself",
    "services: {web: {extends: {service: a}}}": 'there is no service "a"',
    "services: {web: {image: a, mem_limit: much}}": "web: mem_limit: is not an amount of memory",
    "services: {web: {image: a, read_only: maybe}}": "web: read_only: is neither true nor false",
    "services: {web: {build: .}}": "no service of it can be written",
    "services: {web: {image: A/b}}": "no service of it can be written",
    "services: {web: {image: 'localhost:5000/a'}}": "no service of it can be written",
    "services: {web: {image: a, profiles: [debug]}}": "no service of it can be written",
    "services: {web: {image: a, deploy: {mode: replicated-job}}}": "no service of it can be written",
    "services: {}": "no service of it can be written",
    'services: {web: {image: a, command: ["\\ud800"]}}': "half a character",
    "services: {web: {image: !reset null}}": "the tag",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_understood_or_written_is_said_and_nothing_is_written(text: str) -> None:
    said = problems(text)
    assert [problem for problem in said if WRONG[text] in problem], said


def test_a_service_is_an_app_and_its_new_name_is_said() -> None:
    result = imported("services:\n  My_Web: {image: web:1}\n  my.web: {image: web:2}\n  db: {image: postgres}\n")
    names = [e.resource.metadata.name for e in resources(result) if e.resource.kind == "App"]
    assert names == ["my-web", "my-web-2", "db"]
    said = [str(note) for note in result.notes]
    assert "compose.yaml:3:3: my.web: its app is called my-web-2 (names are of a-z, 0-9 and hyphens)" in said
    assert [
        text for text in said if "4:3: db: other apps reach it as web.production.db.internal, and not as db" in text
    ]


def test_names_can_be_chosen() -> None:
    result = imported("services: {a: {image: x}, b: {image: y}}", app="shop", environment="test")
    assert [str(e.resource.key) for e in resources(result)] == [
        "App acme/shop-a", "Environment acme/shop-a/test", "App acme/shop-b", "Environment acme/shop-b/test",
    ]  # fmt: skip
    alone = imported("services: {a: {image: x}}", app="shop")
    assert str(resources(alone)[0].resource.key) == "App acme/shop"


def test_hosts_of_traefiks_rules_are_domains_each_once() -> None:
    labels = "['traefik.http.routers.a.rule=Host(`WWW.a.example`) || Host(`b.example`, `$DOMAIN`)', traefik.x=y]"
    other = (
        "{traefik.http.routers.b.rule: 'Host(`b.example`)', traefik.http.routers.c.rule: 'Host(`a.b`) && Path(`/`)'}"
    )
    result = imported(
        f"services:\n  one: {{image: x, expose: [80], labels: {labels}}}\n"
        f"  two: {{image: x, expose: [80], deploy: {{labels: {other}}}}}\n",
        variables={"DOMAIN": "c.example"},
    )
    hosts = [e.resource.key.path[-1] for e in resources(result) if e.resource.kind == "Domain"]
    assert hosts == ["www.a.example", "b.example", "c.example"]
    said = "\n".join(map(str, result.notes))
    assert "two: labels: b.example leads to one already, so no other Domain is written" in said
    assert "two: deploy.labels: no counterpart: traefik.http.routers.c.rule" in said


def test_later_files_are_on_top_and_what_is_extended_is_below() -> None:
    base = "services: {base: {image: x, command: [a], expose: [80], healthcheck: {test: [CMD, a], retries: 7}}}"
    result = imported(
        "services:\n  web:\n    extends: {service: base, file: base.yaml}\n    healthcheck: {retries: 9}\n",
        "services:\n  web: {command: [b], expose: [81]}\n",
        others={"base.yaml": base},
    )
    (_, environment) = resources(result)
    assert environment.document
    spec = environment.document.data["spec"]
    assert (spec["image"], spec["args"], spec["port"]) == ("x", ["b"], 80)
    assert (spec["healthcheck"]["command"], spec["healthcheck"]["retries"]) == (["a"], 9)
    (said,) = (str(note) for note in result.notes if note.field == "expose")
    assert said.startswith("compose1.yaml:2:23: web: expose: the edge is given port 80 and not 81 (one port can be")


def test_anchors_and_merges_are_followed() -> None:
    text = "x-base: &base {image: x, init: true}\nservices:\n  web:\n    <<: *base\n    command: [a]\n"
    (_, environment) = resources(imported(text))
    assert environment.document
    assert environment.document.data["spec"] == {"image": "x", "args": ["a"], **WRITTEN_OUT, "init": True}


def test_a_service_that_is_built_is_left_out_and_said_until_its_image_is_given() -> None:
    text = "services:\n  web:\n    build: .\n    tty: true\n  db: {image: x}\n"
    result = imported(text)
    assert result.written == ["db"]
    assert "# Service web is left out:\n# compose.yaml:3:5: web: build: nothing is built yet" in result.text
    assert "tty" not in result.text
    assert imported(text, images={"web": "acme/web:1"}).written == ["web", "db"]
    assert "there is no service wbe" in problems(text, images={"wbe": "acme/web:1"})[0]


def test_a_private_registry_may_be_used_where_the_operator_lists_it() -> None:
    assert imported("services: {a: {image: 'localhost:5000/a'}}", registries=["localhost:5000"]).written == ["a"]


def test_keys_at_the_top_are_told_where_no_service_uses_them() -> None:
    text = "name: shop\nvolumes: {data: {}}\nnetworks: {a: {}, b: {}}\nfoo: 1\nservices: {web: {image: x}}\n"
    said = [str(note) for note in imported(text).notes]
    assert [text.split(":")[1] for text in said] == ["1", "2", "3", "4"]
    used = "volumes: {data: {}}\nnetworks: {a: {driver: bridge}}\nservices: {web: {image: x, volumes: ['data:/x']}}\n"
    assert [note.resource for note in imported(used).notes] == ["web"]


def test_a_name_cannot_break_out_of_a_comment() -> None:
    text = 'services: {web: {image: x, "a\\nkind: App": 1, environment: {"B\\u2028C": 1}}}'
    result = imported(text)
    assert len(resources(result)) == 2
    assert "\nkind: App\nmetadata:" in result.text
    assert "\u2028" not in result.text


@pytest.mark.parametrize(
    ("text", "words", "rest"),
    [
        ("", [], ""),
        ("  a  b ", ["a", "b"], ""),
        ("a'b c'd \"\" ''", ["ab cd", "", ""], ""),
        (r'a\"b "c\"d" \n', ['a"b', 'c"d', "\n"], ""),
        ("a>b", ["a"], ">b"),
        ("a ; b", ["a"], "; b"),
        ("'a;b'", ["a;b"], ""),
    ],
)
def test_a_line_is_split_as_compose_splits_it(text: str, words: list[str], rest: str) -> None:
    assert split_words(text) == (words, rest)


def test_amounts_are_read_as_compose_reads_them() -> None:
    assert [mebibytes(text) for text in ("512m", "1.5GB", "1 gib", "1024kb", 1048577, "1t")] == [
        512, 1536, 1024, 1, 2, 1048576,
    ]  # fmt: skip
    assert [format_duration(duration(text)) for text in ("90", "1h2m3s", "1.5s", "100us", "0s", 2)] == [
        "1m30s", "1h2m3s", "1s500ms", "1ms", "0s", "2s",
    ]  # fmt: skip
    assert [str(cores(text)) for text in ("0.5", 2, "1.2345")] == ["0.500", "2.000", "1.234"]
    for wrong, parse in (("x", mebibytes), (True, duration), ("1d", duration), ("nan", cores), ("1e99", duration)):
        with pytest.raises(RefusedError):
            parse(wrong)


CATALOGUE = {
    # file: services that are written, things that are told; or why nothing is written
    "blog.yaml": (2, 9),
    "built.yaml": "no service of it can be written",
    "cache.yaml": (1, 0),
    "half-built.yaml": (3, 10),
    "hardened.yaml": (1, 1),
    "metrics.yaml": (3, 12),
    "profiles.yaml": (2, 4),
    "required.yaml": "needs the variable IMAGE, which is not set",
    "stack.yml": (3, 12),
    "tunnel.yaml": (1, 6),
}


def test_files_of_the_shapes_that_people_have_are_written_or_refused_as_they_were() -> None:
    found = {outcome.file: outcome.refused or (outcome.services, outcome.notes) for outcome in outcomes(FIXTURES)}
    assert found == CATALOGUE


MIGRATED = """
services:
  migrate:
    image: shop:1
    command: [bin/migrate]
    restart: "no"
    environment: {DATABASE_URL: postgres://db/shop}
  web:
    image: shop:1
    ports: [8080]
    environment: {DATABASE_URL: postgres://db/shop}
    depends_on: {migrate: {condition: service_completed_successfully}}
"""


def kinds(result: Result) -> list[tuple[str, str]]:
    """Of each resource its kind, and what it is called below the organization."""
    found = []
    for entry in resources(result):
        assert entry.document
        below = entry.document.data["metadata"]
        names = (below.get(each) for each in ("app", "environment", "name"))
        found.append((entry.resource.kind, "/".join(filter(None, names))))
    return sorted(found)


def test_a_program_that_has_to_end_well_before_another_starts_is_the_release_command_of_that() -> None:
    result = imported(MIGRATED)
    assert kinds(result) == [
        ("App", "web"),
        ("Environment", "web/production"),
        ("Process", "web/production/release"),
    ]
    (command,) = (e for e in resources(result) if e.resource.kind == "Process")
    assert command.document
    assert command.document.data["spec"] == {"args": ["bin/migrate"]}
    said = [str(note) for note in result.notes]
    assert not any("depends_on" in note or "restart" in note for note in said)
    assert [note for note in said if "migrate: it is the release command of web" in note]
    assert [note for note in said if "migrate: environment" in note and "acme/web/production" in note]
    assert list(result.written) == ["migrate", "web"]


@pytest.mark.parametrize(
    ("change", "to"),
    [
        ("image: shop:1\n    command", "image: tools:1\n    command"),
        ("    command: [bin/migrate]\n", ""),
        ('restart: "no"', "restart: always"),
        ('restart: "no"', "ports: [9000]"),
        ('restart: "no"', 'user: "0"'),
        ('restart: "no"', "profiles: [tools]"),
        ("ports: [8080]", "volumes: [data:/data]"),
    ],
)
def test_where_that_does_not_fit_it_is_said_what_does(change: str, to: str) -> None:
    result = imported(MIGRATED.replace(change, to, 1))
    assert "Process" not in [kind for kind, _ in kinds(result)]
    (said,) = (str(note) for note in result.notes if note.field == "depends_on")
    assert "nothing waits for migrate to end" in said
    assert "its Process release" in said


def test_one_program_is_the_release_command_of_one_and_other_orders_are_told_as_before() -> None:
    worker = """
  worker:
    image: shop:1
    depends_on: {migrate: {condition: service_completed_successfully}, web: {condition: service_started}}
"""
    result = imported(MIGRATED.rstrip() + worker)
    assert [path for kind, path in kinds(result) if kind == "Process"] == ["web/production/release"]
    said = [str(note) for note in result.notes if note.field == "depends_on"]
    assert len(said) == 2
    assert any("nothing waits for migrate" in note for note in said)
    assert any("apps start in any order (let the program wait" in note for note in said)
