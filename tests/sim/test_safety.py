"""The safety properties bite: each fault that they are there for is put back, and the property of that name finds it.

A mutant changes one thing of the controller (or of what it stands on) back to what was wrong, and runs one scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Any

import pytest
from prometheus_client import generate_latest

from controller import changes
from controller.kit import flow
from controller.loop import worker
from controller.loop.context import ReconcileContext
from controller.loop.converge import Convergence
from controller.loop.gates.fuse import Fuse
from controller.loop.stability import Stability
from controller.swarm import edge
from controller.swarm.edge import Edge
from controller.swarm.hosts import Hosts
from controller.swarm.liveview import LiveView
from controller.swarm.task_counts import TaskCounts
from controller.swarm.types import job
from controller.swarm.writers.service import ServiceWriter
from reconcilers import environment, run
from reconcilers.conditions import ready
from reconcilers.environment import domains, policies, salvage, service
from reconcilers.ports import LiveService, ServiceProgress
from reconcilers.routes import traefik_labels
from specs import names
from tests.sim import jobs, safety, world
from tests.sim.database import runs, subnets
from tests.sim.faults import Plan
from tests.sim.run import execute
from tests.sim.scenario import scenarios

Install = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """One fault."""

    install: Install
    breaks: Callable[..., Iterator[str]]
    scenario: str


MUTANTS: list[Mutant] = []


def mutant(breaks: Callable[..., Iterator[str]], scenario: str) -> Callable[[Install], Install]:
    def register(install: Install) -> Install:
        MUTANTS.append(Mutant(install, breaks, scenario))
        return install

    return register


# -- networks and addresses ------------------------------------------------------------------------------------------


@mutant(safety.a_service_is_only_on_its_own_organizations_network, "tenants.a_host_goes_from_one_tenant_to_another")
def any_network_is_taken_for_the_organizations(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        LiveView,
        "network_of",
        lambda self, _id: next((n for n in self._networks.values() if n.name.startswith("org-")), None),
    )


@mutant(safety.no_address_is_held_by_two, "environment.comes_scales_and_goes")
def the_edge_takes_an_address_of_the_tasks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(edge, "_address", lambda network: next(IPv4Network(network.task_range).hosts()) + 2)


@mutant(safety.no_two_organizations_have_overlapping_subnets, "tenants.a_host_goes_from_one_tenant_to_another")
def the_plan_gives_a_subnet_twice(patch: pytest.MonkeyPatch) -> None:
    allocate = subnets.allocate

    def twice(rows: list[Any], organization: str, *rest: Any) -> Any:
        mine = [row for row in rows if row.organization_id == organization]
        found = allocate(mine, organization, *rest)
        rows[:] = [row for row in rows if row.organization_id != organization] + mine
        return found

    patch.setattr(subnets, "allocate", twice)


# -- host names ------------------------------------------------------------------------------------------------------


@mutant(safety.no_host_has_a_live_rule_at_two_owners, "tenants.a_host_goes_from_one_tenant_to_another")
def a_host_name_is_taken_without_waiting(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Hosts, "elsewhere", lambda *_: frozenset())


@mutant(safety.a_rule_goes_when_its_row_does, "tenants.a_host_goes_from_an_app_whose_row_is_wrong")
def the_last_good_service_keeps_its_routes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(salvage, "_routed", lambda spec, *_: spec["Labels"])


# -- nothing is lost -------------------------------------------------------------------------------------------------


@mutant(safety.nothing_is_removed_without_a_wish, "losses.documents_are_hidden_and_nothing_goes")
def a_document_that_is_not_shown_is_taken_for_a_deletion(patch: pytest.MonkeyPatch) -> None:
    reconcile = worker.Worker._reconcile

    async def blind(self: Any, context: Any, loaded: Any) -> Any:
        gone = loaded.document is None
        return await reconcile(self, context, replace(loaded, declared=False, tombstone=True) if gone else loaded)

    async def allow(*_: object) -> None: ...

    patch.setattr(worker.Worker, "_reconcile", blind)
    patch.setattr(Fuse, "removal", allow)


@mutant(safety.nothing_is_removed_without_a_wish, "tenants.rows_are_lost_and_come_back")
def what_is_absent_goes_without_a_word(patch: pytest.MonkeyPatch) -> None:
    async def allow(*_: object) -> None: ...

    patch.setattr(Fuse, "removal", allow)


@mutant(safety.nothing_is_scaled_to_nothing_without_a_wish, "environment.keeps_the_last_good_while_the_row_is_wrong")
def a_wrong_row_stops_what_runs(patch: pytest.MonkeyPatch) -> None:
    laid_over = salvage._laid_over

    def stopped(spec: Any, found: Any, *rest: Any, **more: Any) -> Any:
        return laid_over(spec, replace(found, suspended=True), *rest, **more)

    patch.setattr(salvage, "_laid_over", stopped)


@mutant(safety.nothing_is_unrouted_without_a_wish, "environment.has_processes_and_domains")
def only_one_host_of_a_process_is_routed(patch: pytest.MonkeyPatch) -> None:
    routes = traefik_labels
    turns = iter(range(1000))

    def sometimes(name: str, **options: Any) -> dict[str, str]:
        hosts = options.pop("hostnames")
        return routes(name, hostnames=hosts if next(turns) < 2 else (), **options)

    patch.setattr(service, "traefik_labels", sometimes)


@mutant(safety.what_serves_goes_on_serving, "edge.stays_on_the_network_of_a_renamed_organization")
def the_edge_leaves_before_it_joins(patch: pytest.MonkeyPatch) -> None:
    join = Edge.join

    async def anew(self: Any, network: Any) -> None:
        await self.leave(network)
        await join(self, network)

    observe = ReconcileContext.observe

    async def meanwhile(self: Any, services: Any) -> Any:
        if self.kind == "organization" and (home := self.live.network_of(self.id)) is not None:
            await Edge.leave(self._tools.swarm._applier._edge, home)
        return await observe(self, services)

    patch.setattr(Edge, "join", anew)
    patch.setattr(ReconcileContext, "observe", meanwhile)


@mutant(safety.what_serves_goes_on_serving, "tenants.an_app_moves_to_another_organization")
def the_former_service_goes_at_once(patch: pytest.MonkeyPatch) -> None:
    retire = ReconcileContext.retire

    async def at_once(self: Any, objects: Any, _serving: Any) -> Any:
        return await retire(self, objects, [service.name for service in objects.services])

    patch.setattr(ReconcileContext, "retire", at_once)


# -- jobs ------------------------------------------------------------------------------------------------------------


@mutant(safety.a_job_is_run_to_its_end_once, "environment.comes_scales_and_goes")
def a_job_is_written_whenever_somebody_looks(patch: pytest.MonkeyPatch) -> None:
    jobs.install(patch)
    patch.setattr(job, "is_run", lambda *_: False)


@mutant(safety.what_is_run_once_never_begins_twice, "runs.whose_job_somebody_removed_are_not_run_again")
def what_is_gone_is_let_begin_again(patch: pytest.MonkeyPatch) -> None:
    goes_on = run._goes_on

    async def anew(context: Any, snapshot: Any, live: Any) -> Any:
        return await (run._begin(context, snapshot) if live is None else goes_on(context, snapshot, live))

    patch.setattr(run, "_goes_on", anew)
    patch.setattr(runs, "check", lambda *_: None)


# -- image policies ------------------------------------------------------------------------------------------------


@mutant(
    safety.no_image_is_run_that_a_policy_refuses, "policies.a_new_image_that_a_policy_blocks_is_not_run_nor_asked_for"
)
def what_is_new_is_only_marked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policies, "_OF_NEW", dict.fromkeys(("audit", "new", "all"), policies.MARKED))


@mutant(safety.no_image_is_run_that_a_policy_refuses, "policies.a_report_that_finds_too_much_refuses_what_is_new")
def reports_are_not_read(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None: ...

    patch.setattr(policies, "_scanned", nothing)


@mutant(
    safety.what_an_image_policy_stops_does_not_run,
    "policies_meanwhile.what_a_report_condemns_in_its_rollout_goes_and_the_one_before_comes_back",
)
def what_serves_meanwhile_is_not_judged(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any, **__: Any) -> None: ...

    patch.setattr(environment, "judged_anew", nothing)


@mutant(
    safety.what_an_image_policy_stops_does_not_run,
    "policies_meanwhile.what_a_policy_stops_in_its_rollout_goes_and_the_one_before_comes_back",
)
def all_that_is_young_and_goes_well_is_kept_and_so_is_the_rest(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Convergence, "_stops", lambda *_: False)
    patch.setattr(salvage, "must_stop", lambda *_: False)


# -- who is stopped --------------------------------------------------------------------------------------------------


@mutant(safety.who_is_stopped_gets_no_more_tasks, "tenants.one_is_suspended_and_scaled")
def suspension_is_not_rendered(patch: pytest.MonkeyPatch) -> None:
    render = service.service_spec

    def awake(snapshot: Any, *rest: Any) -> Any:
        return render(snapshot.model_copy(update={"suspended": False}), *rest)

    patch.setattr(service, "service_spec", awake)


@mutant(safety.who_is_stopped_runs_nothing, "tenants.one_is_suspended_while_its_row_is_wrong")
def suspension_is_not_seen_in_a_wrong_row(patch: pytest.MonkeyPatch) -> None:
    laid_over = salvage._laid_over

    def awake(spec: Any, found: Any, *rest: Any, **more: Any) -> Any:
        return laid_over(spec, replace(found, suspended=None), *rest, **more)

    patch.setattr(salvage, "_laid_over", awake)


@mutant(safety.who_is_stopped_runs_nothing, "environment.is_scaled_while_its_tasks_start")
def what_swarm_forgot_to_stop_is_waited_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TaskCounts, "_forgotten", lambda *_: 0)


# -- truth -----------------------------------------------------------------------------------------------------------


@mutant(safety.ready_is_said_of_what_is_so, "environment.comes_scales_and_goes")
def a_task_that_runs_is_taken_for_a_steady_one(patch: pytest.MonkeyPatch) -> None:
    def at_once(_self: Any, _key: Any, rollouts: Any, *_: Any) -> list[ServiceProgress]:
        return [replace(rollout, stable=rollout.complete) for rollout in rollouts]

    patch.setattr(Stability, "judge", at_once)


@mutant(safety.ready_is_taken_back_when_it_ends, "environment.has_processes_and_domains")
def statuses_of_parts_outlive_them(patch: pytest.MonkeyPatch) -> None:
    report = ReconcileContext.report

    def without_rest(self: Any, *rest: Any, **more: Any) -> None:
        report(self, *rest, **more)
        self.draft.report.rest = None

    patch.setattr(ReconcileContext, "report", without_rest)


@mutant(safety.ready_is_taken_back_when_it_ends, "tenants.the_edge_is_away_for_a_while")
def where_the_edge_runs_is_not_asked(patch: pytest.MonkeyPatch) -> None:
    def routed(hostname: str, *_: object, **__: object) -> Any:
        return ready("Routed", f"the edge sends {hostname} somewhere")

    patch.setattr(domains, "reached", routed)


# -- one owner, one row ----------------------------------------------------------------------------------------------


@mutant(safety.no_write_takes_what_another_owner_has, "tenants.a_slug_is_taken_while_what_had_it_is_paused")
def names_of_owners_meet_and_are_taken(patch: pytest.MonkeyPatch) -> None:
    tag = names.owner_tag
    patch.setattr(names, "owner_tag", lambda at, kind, *ids: "0" * 10 if kind == "environment" else tag(at, kind, *ids))

    async def take(self: Any, service: Any, _row: Any) -> Any:
        live = await self._client.service(service.name)
        found = LiveService(live["ID"], service.name, live["Version"]["Index"], live["Spec"], None, "")
        return await self._update(service, found)

    patch.setattr(ServiceWriter, "_take_back", take)


# -- the tests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [case for case in MUTANTS if case.breaks.__name__ not in safety.NOT_YET],
    ids=lambda case: case.install.__name__,
)
def test_a_fault_that_is_put_back_is_found(case: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "DEADLINE_SECONDS", 45.0)  # it may never settle
    case.install(monkeypatch)
    problems = execute(scenarios()[case.scenario], Plan(case.scenario)).problems
    name = case.breaks.__name__.replace("_", " ")
    assert [p for p in problems if p.startswith(f"{name}: ")], problems


def test_a_secret_that_is_told_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_CONFIDENTIAL", ())
    monkeypatch.setattr(flow, "_SHOWN", 1000)
    problems = execute(scenarios()["environment.is_repaired"], Plan("environment.is_repaired")).problems
    assert {p for p in problems if "secret" in p} == {
        "an event has a value that is secret",
        "a log line has a value that is secret",
    }


def test_no_secret_is_in_a_metric() -> None:
    execute(scenarios()["environment.is_repaired"], Plan("environment.is_repaired"))
    assert world.MARKER.encode() not in generate_latest()


def test_every_property_is_shown_to_bite() -> None:
    shown = {case.breaks.__name__ for case in MUTANTS}
    assert shown >= {each.name for each in safety.PROPERTIES} - safety.NOT_YET.keys()
