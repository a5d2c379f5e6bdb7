"""Each link of an environment's and an organization's chain, by what is known of it; and what follows from what."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from reconcilers import organization_links
from reconcilers.chain import Known, Link, Relative, Said, Seen, State, TaskSeen, in_order
from reconcilers.environment import links
from reconcilers.reasons import Fault, Reason, fault_of, faults, plain, reason_of, reasons
from specs.names import router_name
from specs.snapshots import EnvironmentSnapshot
from tests.unit.reconcilers.documents import environment

READY = Said(ready=True, reason="Deployed", message="1 task runs")
WEB, HOST = "acme-shop-production-web_1", "shop.example.com"
RUNS = TaskSeen(WEB, "n1", "running", "running")
ENDED = TaskSeen(WEB, "n1", "shutdown", "failed", error="task: non-zero exit (3)")
SEEN = Seen({WEB: 1}, (RUNS,), {"n1": True, "n2": False}, "org-acme_1")
KNOWN = Known("environment", "acme/shop/production", READY, "environment", {"image": "web:1"}, seen=SEEN)


def not_ready(reason: str, message: str = "so it is", **more: Any) -> Known:
    return replace(KNOWN, said=Said(ready=False, reason=reason, message=message), **more)


def test_all_is_well_of_what_is_ready() -> None:
    found = [link(KNOWN) for link in links.LINKS]
    assert {link.state for link in found} == {State.OK}
    assert [link.name for link in found] == [link.__name__ for link in links.LINKS]
    assert not any(link.cause or link.mend for link in found)


def test_the_release_says_what_runs_in_place_of_what_is_wanted() -> None:
    assert links.release(replace(KNOWN, details={"running": ["web:0"]})).evidence == "web:1 is wanted; web:0 runs"
    newest = SimpleNamespace(release=SimpleNamespace(version=9, deployed=False), pinned=SimpleNamespace(version=7))
    assert links.release(replace(KNOWN, snapshot=newest)).evidence == (
        "release 9, with the content of release 7 (it has not run yet): web:1 is wanted"
    )
    none = links.release(not_ready("NoImage", spec={}))
    assert (none.state, none.mend.startswith("Wait for its build")) == (State.BROKEN, True)


def test_image_and_config_say_what_the_document_says_and_no_value() -> None:
    snapshot = EnvironmentSnapshot.model_validate(
        environment(
            config={"digest": "0" * 32, "variables": 3, "files": ["TLS_KEY"]},
            resolved={"reference": "web:1", "pinned": "web@sha256:" + "0" * 64, "architecture": "arm64"},
        )
    )
    known = replace(KNOWN, snapshot=snapshot)
    assert links.image(known).evidence.endswith("for arm64")
    of_index = {"pinned": "web@sha256:" + "0" * 64, "digests": ["sha256:" + "1" * 64, "sha256:" + "0" * 64]}
    resolved = {"reference": "web:1", "architecture": "arm64", **of_index}
    one = EnvironmentSnapshot.model_validate(environment(resolved=resolved))
    assert links.image(replace(KNOWN, snapshot=one)).evidence.endswith(f"of the index sha256:{'1' * 64}, for arm64")
    assert links.config(known).evidence == "2 variables and 1 files are set"
    assert links.config(KNOWN).evidence == "what is set: `skypanel config list`"
    assert links.config(replace(known, said=Said(False, "KeyUnavailable", "key 1"))).state is State.BROKEN


def test_a_network_that_is_missing_is_the_organizations_fault() -> None:
    known = not_ready("NetworkNotReady", seen=replace(SEEN, network=""))
    assert links.network(known).mend.startswith("`skypanel explain organization")
    home = Relative("organization", "acme", Said(False, "SubnetRefused", "10.0.0.0/8"))
    found = links.network(replace(known, owners=[home]))
    assert (found.cause.startswith("The organization's network is not there."), found.mend) == (
        True,
        "`skypanel doctor` says what",
    )


def test_services_nodes_and_tasks_are_what_the_engine_has_or_what_was_said_last() -> None:
    assert links.service(KNOWN).evidence == WEB
    assert links.placement(KNOWN).evidence == "1 of 2 nodes take tasks; its tasks run on n1"
    assert links.task(KNOWN).evidence == "1 of 1 run"
    blind = replace(KNOWN, seen=None, details={"services": {WEB: {"desired": 2, "running": 1}}})
    assert links.service(blind).evidence == WEB
    assert links.task(blind).evidence == "1 of 2 ran when it was looked at last"
    assert links.placement(blind).evidence == "nodes were not seen"


def test_tasks_that_do_not_run_are_the_cause_only_where_the_status_names_none() -> None:
    down = replace(SEEN, tasks=(ENDED,))
    nobody_says = replace(KNOWN, said=Said(None, "", ""), seen=down)
    assert links.task(nobody_says).state is State.WAITS
    assert "non-zero exit (3)" in links.task(nobody_says).evidence
    assert links.task(not_ready("CrashLoop", "its health check failed", seen=down)).state is State.FOLLOWS
    assert links.task(not_ready("CrashLoop", "end again and again", seen=down)).state is State.BROKEN


def test_a_task_that_the_engine_says_ran_out_of_memory_is_believed_over_its_exit_code() -> None:
    killed = replace(ENDED, error="task: non-zero exit (137)", memory=True)
    found = links.task(not_ready("RollingOut", "0/1 run", seen=replace(SEEN, tasks=(killed,))))
    assert found.mend == "Give it more memory, or have the program use less"
    assert found.evidence.startswith("0 of 1 run; the engine says that memory ran out; ")


def test_a_suspended_environment_names_what_is_suspended() -> None:
    owner = Relative("app", "acme/shop", READY, {"suspended": True})
    known = replace(KNOWN, said=Said(ready=True, reason="Suspended", message="no task runs"), owners=[owner])
    assert links.task(known).evidence.endswith("; app acme/shop is suspended")
    domain = replace(known, kind="domain", name=HOST, said=Said(ready=False, reason="Suspended", message="no answer"))
    assert links.task(domain).mend == "Set `suspended: false` of app acme/shop"


def test_routes_are_those_of_the_domains() -> None:
    assert links.route(KNOWN).evidence == "no domain leads to it"
    late = Relative("domain", HOST, Said(False, "NoEdge", "no edge"), {"process": "web"})
    found = links.route(replace(KNOWN, parts=[late]))
    assert (found.state, HOST in found.evidence) == (State.BROKEN, True)
    process = replace(KNOWN, kind="process", name="acme/shop/production/worker", parts=[late])
    assert links.route(process).state is State.OK


ROUTER = f"{router_name(WEB, HOST)}@swarm"


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ({}, "has no route"),
        ({ROUTER: ""}, "the edge routes"),
        ({ROUTER: "no resolver"}, "no resolver"),
        (None, "is routed"),
    ],
)
def test_a_domain_is_what_the_edge_says_of_it(faults: dict[str, str] | None, says: str) -> None:
    seen = replace(SEEN, faults=faults)
    known = replace(KNOWN, kind="domain", name=HOST, said=Said(True, "Routed", "it is routed"), seen=seen)
    assert says in links.route(known).evidence


@pytest.mark.parametrize(
    ("reason", "link"),
    [
        ("SubnetPoolExhausted", "network"),
        ("PinStarting", "placement"),
        ("NoEdge", "route"),
        ("NameConflict", "service"),
    ],
)
def test_an_organization_is_its_network_its_pin_and_the_edge(reason: str, link: str) -> None:
    known = replace(not_ready(reason), kind="organization", of="organization", name="acme")
    (broken,) = (found for found in (each(known) for each in organization_links.LINKS) if found.state.is_fault)
    assert broken.name == link


def test_what_is_broken_after_the_cause_follows_and_what_was_seen_stands() -> None:
    chain = [
        Link("row", State.OK, "is there"),
        Link("image", State.BROKEN, "404", "it is absent", "push it"),
        Link("config", State.OK, "none"),
        Link("network", State.OK, "org-acme", proven=True),
        Link("task", State.WAITS, "0 of 1"),
    ]
    assert [link.state for link in in_order(chain)] == [
        State.OK,
        State.BROKEN,
        State.UNREACHED,
        State.OK,
        State.FOLLOWS,
    ]


ERRORS = [
    ("No such image: web:9", "image cannot be pulled"),
    ("no suitable node (unsupported platform on 1 node)", "wrong architecture"),
    ("exec /bin/web: exec format error", "wrong architecture"),
    ("no suitable node (insufficient resources on 2 nodes)", "no room"),
    ("no suitable node (scheduling constraints not satisfied on 1 node)", "no such node"),
    ("a task waits for a network address: the subnet may be used up", "no address"),
    (
        "task: non-zero exit (137): it was killed; usually memory ran out, else its health check failed",
        "killed for memory",
    ),
    ("task: non-zero exit (143): dockerexec: unhealthy container: its health check failed", "unhealthy"),
    ("it ended by itself (exit code 0), or was stopped as its health check failed", "unhealthy"),
    ('starting container failed: exec: "webb": executable file not found in $PATH', "cannot start"),
    ("it ended by itself (exit code 0)", "ends by itself"),
    ("task: non-zero exit (3)", "crashes"),
]


@pytest.mark.parametrize(("error", "name"), ERRORS)
def test_what_the_engine_says_of_a_task_is_understood(error: str, name: str) -> None:
    found = fault_of(["0/1 run", error])
    assert found is not None
    assert found.name == name


def test_what_nobody_knows_of_is_no_fault_and_no_reason() -> None:
    assert fault_of(["the moon is full"]) is None
    assert reason_of("AWordOfItsOwn", "environment") is None
    assert not_ready("AWordOfItsOwn").blame() is None


def test_a_reason_that_means_another_thing_for_a_kind_is_told_apart() -> None:
    ours, theirs = reason_of("Suspended", "environment"), reason_of("Suspended", "domain")
    assert ours is not None
    assert theirs is not None
    assert ours.cause != theirs.cause


def test_every_cause_is_a_sentence_and_every_mend_says_something() -> None:
    every: list[Reason | Fault] = [*reasons(), *faults()]
    for one in every:
        assert one.cause.endswith(".")
        assert one.mend
        assert not one.mend.endswith(".")
    assert plain("see [the fuse](#the-fuse)") == "see the fuse (docs/operations.md)"
