"""What is said of domains and organizations by where the edge is, and what both stack and lab give it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest

from reconcilers.conditions import check
from reconcilers.edge import edge_problem
from reconcilers.environment.domains import reached, router_of
from reconcilers.organization import assess
from reconcilers.ports import EdgePlace, Live, Routers, ServiceProgress

HERE = EdgePlace(declared=True, here=1)
NET = "org-acme_1234567890"
SERVICE, HOST = "acme-shop-production-web_1234567890", "shop.example.com"
ROUTER = router_of(SERVICE, HOST)


@pytest.mark.parametrize(
    ("place", "reason", "advice"),
    [
        (EdgePlace(), "NoEdge", "io.skypanel.edge=true"),
        (EdgePlace(declared=True), "NoEdge", "docker service ps"),
        (EdgePlace(declared=True, elsewhere=("n2",)), "EdgeElsewhere", "DOCKER_HOST"),
        (EdgePlace(declared=True, here=1, elsewhere=("n2",)), "EdgeElsewhere", "node n2"),
    ],
)
def test_an_edge_that_is_absent_or_elsewhere_is_a_reason_with_advice(
    place: EdgePlace, reason: str, advice: str
) -> None:
    problem = edge_problem(place)
    assert problem is not None
    assert (problem.reason, advice in problem.message) == (reason, True)


def test_an_organization_is_ready_when_every_edge_task_can_be_joined_or_there_is_no_edge_at_all() -> None:
    def ready(place: EdgePlace) -> tuple[str, bool]:
        conditions, _ = assess(NET, "10.64.0.0/24", place, {}, None)
        return conditions[0].status, "every edge container is on it" in conditions[0].message

    assert ready(HERE) == ("True", True)
    assert ready(EdgePlace()) == ("True", False), "no domain can be routed, and none may be declared"
    assert ready(EdgePlace(declared=True)) == ("False", False)
    assert ready(EdgePlace(declared=True, here=1, elsewhere=("n2",))) == ("False", False)


def test_a_network_that_cannot_be_mended_while_it_serves_is_said() -> None:
    conditions, _ = assess(NET, "10.64.0.0/24", HERE, {NET: "Attachable: True -> False; x is on it"}, None)
    assert (conditions[0].reason, conditions[0].status) == ("NetworkInUse", "False")
    assert "Attachable: True -> False; x is on it" in conditions[0].message
    conditions, _ = assess(NET, "10.64.0.0/24", HERE, {"org-old": "x is on it"}, None)
    assert (conditions[0].reason, conditions[0].status) == ("NetworkReady", "True")
    assert "org-old" in conditions[0].message


def test_addresses_of_two_live_networks_are_said() -> None:
    conditions, _ = assess(NET, "10.64.0.0/24", HERE, {}, "organization 7")
    assert (conditions[0].reason, "organization 7" in conditions[0].message) == ("SubnetClaimed", True)


FLAGS = [
    r"serversTransport\.forwardingTimeouts\.dialTimeout=300ms",
    r"entryPoints\.web\.transport\.respondingTimeouts\.readTimeout=(\$\{EDGE_READ_TIMEOUT:-10m\}|\{read_timeout\})",
    r"entryPoints\.web\.transport\.respondingTimeouts\.idleTimeout=3m",
]


@pytest.mark.parametrize("file", ["swarm/edge.yml", "traefik/edge.py"])
@pytest.mark.parametrize("flag", FLAGS)
def test_the_edge_lets_uploads_take_their_time_and_gives_a_dead_task_up_soon(file: str, flag: str) -> None:
    text = (Path(__file__).parents[3] / "deploy" / file).read_text(encoding="utf-8")
    assert re.search(flag, text)


def test_the_stack_s_edge_runs_where_the_controller_can_join_it() -> None:
    text = (Path(__file__).parents[3] / "deploy/swarm/edge.yml").read_text(encoding="utf-8")
    edge = text[text.index("  edge:") : text.index("  door:")]
    assert "node.labels.io.skypanel.edge == true" in edge
    assert "websecure.transport.respondingTimeouts.readTimeout=${EDGE_READ_TIMEOUT:-10m}" in edge


class Seen:
    """As much of a live view as a domain's status needs."""

    def __init__(self, place: EdgePlace = HERE, *, joined: bool = True) -> None:
        self._place, self._joined = place, joined

    def edge_place(self) -> EdgePlace:
        return self._place

    def edge_is_on(self, _network: str) -> bool:
        return self._joined


def domain(
    seen: Seen | None = None, routers: Routers | None = None, *, desired: int = 1, suspended: bool = False
) -> tuple[str, str]:
    conditions = reached(
        HOST,
        ServiceProgress(SERVICE, desired, desired, 0, 0),
        live=cast("Live", seen or Seen()),
        network=NET,
        routers=routers or Routers(asked=True, faults={ROUTER: ""}),
        suspended=suspended,
    )
    assert check(conditions, generation=1, observed_generation=1) == []
    return conditions[0].status, conditions[0].reason


def test_a_domain_is_routed_when_the_edge_says_so() -> None:
    assert domain() == ("True", "Routed")
    assert domain(routers=Routers(asked=True)) == ("False", "NotRouted")
    assert domain(routers=Routers(asked=True, problem="it is away", faults={ROUTER: ""})) == ("False", "NotRouted")
    assert domain(routers=Routers(asked=True, faults={ROUTER: "no such resolver"})) == ("False", "NotRouted")
    unknown = {ROUTER: 'EntryPoint "websecur" doesn\'t exist'}
    assert domain(routers=Routers(asked=True, faults=unknown)) == ("False", "EntryPointUnknown")


def test_a_domain_says_no_more_than_what_was_asked() -> None:
    assert domain(routers=Routers()) == ("True", "RouteGiven")


def test_a_domain_of_what_does_not_run_or_cannot_be_reached_is_not_routed() -> None:
    assert domain(suspended=True) == ("False", "Suspended")
    assert domain(desired=0) == ("False", "NoTasks")
    assert domain(Seen(EdgePlace())) == ("False", "NoEdge")
    assert domain(Seen(EdgePlace(declared=True))) == ("False", "NoEdge")
    assert domain(Seen(EdgePlace(declared=True, here=1, elsewhere=("n2",)))) == ("False", "EdgeElsewhere")
    assert domain(Seen(joined=False)) == ("False", "NotRouted")
