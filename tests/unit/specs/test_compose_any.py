"""Whatever a Compose file is: what comes out is taken by ``validate``, or it is said what is wrong."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from specs.compose.convert import Wanted, convert
from specs.compose.keys import SERVICE, TOP_LEVEL
from specs.compose.project import read_project
from specs.loader import FileProblem as Problem
from specs.loader import SpecFilesError, read_resources

SECRET = "hunter2hunter2"
scalars = st.none() | st.booleans() | st.integers(-5, 70000) | st.floats(allow_nan=False, allow_infinity=False)
words = st.sampled_from(
    [
        *["", "80", "8080:80", "53:53/udp", "1s", "1h2m", "-1s", "10m", "1g", "0.5", "no", "root", "1000:1000", "/tmp"],
        *["/a:b", "../x", "CMD", "CMD-SHELL", "NONE", "a b 'c'", "a && b", "'", "${A}", "${A:-b}", "${S}", "${", "$$"],
        *["${A:?}", "web:1", "UPPER/x", "a@sha256:1", "Host(`a.b`)", "Host(`a.b`) || Host(`C.d`)", "Host(``)"],
        *["\u2028", "\ud800", "# x", "---"],
    ]
) | st.text(max_size=8)
plain = scalars | words
names = st.sampled_from(["web", "db", "My_Web", "my-web", "-", "日", "a" * 80]) | st.text(min_size=1, max_size=6)
keys = st.sampled_from([key.rpartition(".")[2] for key in (*SERVICE, *TOP_LEVEL)]) | names | st.sampled_from(
    ["traefik.enable", "traefik.http.routers.a.rule", "traefik.http.services.a.loadbalancer.server.port", "<<", "x-a"]
)  # fmt: skip
anything = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


RIGHT: dict[str, list[Any]] = {
    "command": ["serve", "a 'b c'", ["a", "b"], [], "a && b", "a ${S}"],
    "configs": [["a"], [{"source": "a"}]],
    "cpus": [0.5, "2", "0.0001", 5000],
    "deploy.labels": [{"traefik.http.routers.a.rule": "Host(`a.example`)"}],
    "deploy.replicas": [0, 3, "2", 5000],
    "deploy.resources.limits.cpus": ["0.5", "1e3"],
    "deploy.resources.limits.memory": ["512m", "1k", "9999999p"],
    "entrypoint": ["", "/run.sh", ["/run.sh"], [""]],
    "expose": [["80"], [80, "53/udp"]],
    "extends": ["web"],
    "healthcheck.disable": [True, "no"],
    "healthcheck.interval": ["1s", "0s", "100h"],
    "healthcheck.retries": [3, "5", 1000],
    "healthcheck.start_period": ["1m"],
    "healthcheck.test": ["exit 0", ["NONE"], ["CMD", "a"], ["CMD-SHELL", "a"]],
    "healthcheck.timeout": ["1us", "90"],
    "image": ["web:1", "UPPER/x", "10.0.0.1/x", "${NOT_SET}"],
    "init": [True, "false"],
    "labels": [["traefik.http.routers.a.rule=Host(`a.example`, `B.example`, `x`)"], {"a": None}],
    "mem_limit": ["1g", 4096],
    "networks": [["a"], {"a": {"aliases": ["b"]}, "b": None}],
    "ports": [["8080:80", "53:53/udp"], [{"target": 80}], ["1-3:4-6", 8080]],
    "read_only": [True, "yes"],
    "restart": ["always", "no", False],
    "scale": [2],
    "stop_grace_period": ["1m30s", "1.5s", "9h"],
    "tmpfs": ["/run", ["/run", "/run/", "/proc"], ["/a:size=1"], ["relative"]],
    "user": ["1000", "root:0", "www", "99999999999"],
    "volumes": [["a:/b", "./c:/d"], [{"type": "tmpfs", "target": "/t"}, {"type": "bind"}]],
}


def below(key: str, *, wild: bool) -> st.SearchStrategy[Any]:
    """Values of a key: right ones, or also any; those that have keys of their own have them."""
    own = sorted({name for name in SERVICE if name.startswith(f"{key}.") and "." not in name.removeprefix(f"{key}.")})
    if own:
        parts = {name.rpartition(".")[2]: below(name, wild=wild) for name in own}
        whole: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=parts)
        return whole | anything if wild else whole
    right = st.sampled_from(RIGHT[key]) if key in RIGHT else anything
    return right | plain | anything if wild or not SERVICE[key].becomes else right


def services(*, wild: bool) -> st.SearchStrategy[Any]:
    apart = {"image", "environment", "build", "profiles", "provider", *(() if wild else ("extends",))}
    optional = {key: below(key, wild=wild) for key in sorted(SERVICE) if "." not in key and key not in apart}
    image = st.sampled_from(["web:1", "acme.example/web"]) | st.sampled_from(RIGHT["image"])
    return st.fixed_dictionaries({"image": image}, optional=optional).map(
        lambda found: {**found, "environment": {"PASSWORD": SECRET, "A": f"${{S:-{SECRET}}}"}}
    )


def files(*, wild: bool) -> st.SearchStrategy[Any]:
    one = services(wild=wild) | anything if wild else services(wild=wild)
    others = {key: anything for key in sorted(TOP_LEVEL) if key != "services"}
    return st.fixed_dictionaries({"services": st.dictionaries(names, one, min_size=1, max_size=3)}, optional=others)


several = st.lists(files(wild=False), min_size=1, max_size=2) | st.lists(files(wild=True), min_size=1, max_size=2)


@settings(max_examples=40, deadline=None)
@given(several, st.sampled_from(["", "shop"]))
def test_any_file_becomes_specs_that_are_taken_or_is_refused_with_words(given_files: list[Any], app: str) -> None:
    texts = [(f"{number}.yaml", json.dumps(file)) for number, file in enumerate(given_files)]
    wanted = Wanted("acme", app=app, variables={"S": SECRET, "B": ""})
    try:
        result = convert(read_project(texts, lambda _file, named: (named, "")), wanted)
    except SpecFilesError as error:
        said = [str(problem) for problem in error.problems if problem.message]
        event("refused")
    else:
        event("written")
        said = [str(note) for note in result.notes]
        found = list(read_resources(result.text, "out"))
        assert found
        assert [str(problem) for problem in found if isinstance(problem, Problem)] == []
        assert result.written
        said.append("written")
    assert said
    assert SECRET not in "".join(said)
