"""Planning: what is done, in which order, for what cause; and what is held back after Swarm rolled it back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.changes import Change, ChangeSet
from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.plan import plan
from reconcilers import labels, organization
from reconcilers.environment.service import render
from reconcilers.objects import HomeNetwork, Network, Objects, Service
from reconcilers.ports import LiveNetwork, LiveService
from tests.unit.reconcilers.documents import (
    ENVIRONMENT_ID,
    HOME,
    OPTIONS,
    ORG_ACME,
    ORGANIZATION_ID,
    environment,
    process,
)
from tests.unit.reconcilers.documents import organization as an_organization
from tests.unit.swarm.stored import View, live, live_network

OWNER = ("environment", str(ENVIRONMENT_ID))
ORGANIZATION = ("organization", str(ORGANIZATION_ID))
ONE, TWO, THREE = (
    render(environment(image_ref=f"registry.example.com/shop:{tag}"), OPTIONS, HOME).services[0] for tag in (1, 2, 3)
)
NAME = ONE.name


def row(service: Service = ONE, **changes: Any) -> InventoryRow:
    known = InventoryRow(
        "service",
        service.name,
        f"id-of-{service.name}",
        service.hash,
        state="present",
        template_hash=service.template_hash,
    )
    return replace(known, **changes)


def planned(wanted: Service | None, *services: LiveService, rows: tuple[InventoryRow, ...] = ()) -> ChangeSet:
    return plan(OWNER, Objects((wanted,) if wanted else ()), View(list(services)), rows)


def one(changes: ChangeSet) -> Change:
    (change,) = changes.changes
    return change


# -- services --------------------------------------------------------------------------------------------------------


def test_what_is_not_there_is_created() -> None:
    change = one(planned(ONE))
    assert (change.action, change.target, change.cause) == ("create", ONE, "Created")
    assert str(change) == f"+ service {NAME}"


def test_what_is_as_it_should_be_is_left_alone() -> None:
    assert planned(ONE, live(ONE), rows=(row(),)) == ChangeSet(wanted=Objects((ONE,)))


def test_another_spec_is_an_update_planned_on_what_was_seen() -> None:
    there = live(ONE, version=77)
    change = one(planned(TWO, there, rows=(row(),)))
    assert (change.action, change.cause, change.live) == ("update", "Updated", there)
    assert str(change).startswith(f"~ service {NAME}: image: ")


def test_what_somebody_changed_by_hand_is_repaired() -> None:
    there = live(ONE)
    there = replace(there, spec={**there.spec, "Mode": {"Replicated": {"Replicas": 5}}})
    change = one(planned(ONE, there, rows=(row(),)))
    assert (change.action, change.cause) == ("update", "Repaired")
    assert str(change) == f"~ service {NAME}: replicas: 5 -> 1"


def test_one_that_somebody_made_with_another_mode_is_made_anew() -> None:
    there = live(ONE)
    there = replace(there, spec={**there.spec, "Mode": {"Global": {}}})
    change = one(planned(ONE, there, rows=(row(),)))
    assert (change.action, change.cause, change.starts_tasks) == ("recreate", "Repaired", True)
    assert str(change) == f"± service {NAME}: Mode: Global -> Replicated"


def test_a_hash_that_somebody_changed_is_repaired_and_shown() -> None:
    there = live(ONE)
    there = replace(there, spec={**there.spec, "Labels": {**there.spec["Labels"], labels.SPEC_HASH: "0"}})
    change = one(planned(ONE, there, rows=(row(),)))
    assert change.cause == "Repaired"
    assert labels.SPEC_HASH in str(change)


def test_what_somebody_removed_by_hand_is_created_again_as_a_repair() -> None:
    assert one(planned(ONE, rows=(row(),))).cause == "Repaired"


def test_a_create_that_was_only_intended_is_no_repair() -> None:
    intended = InventoryRow("service", NAME)
    assert one(planned(ONE, rows=(intended,))).cause == "Created"


def test_what_is_removed_while_its_spec_changes_is_created_not_repaired() -> None:
    assert one(planned(TWO, rows=(row(ONE),))).cause == "Created"


def test_what_is_no_longer_wanted_is_removed() -> None:
    there = live(ONE)
    change = one(planned(None, there, rows=(row(),)))
    assert (change.action, change.live, change.cause) == ("delete", there, "Removed")


def test_another_owner_s_service_of_the_same_name_is_not_taken_over() -> None:
    (other,) = render(environment(id=str(ORGANIZATION_ID)), OPTIONS, HOME).services
    change = one(planned(ONE, live(other)))
    assert change.action == "create", "the create then waits for the name"


def test_a_service_that_we_made_is_ours_whatever_its_owner_label_says() -> None:
    there = live(ONE)
    there = replace(there, spec={**there.spec, "Labels": {**there.spec["Labels"], labels.OWNER: "environment/other"}})
    change = one(planned(ONE, there, rows=(row(),)))
    assert (change.action, change.cause) == ("update", "Repaired")


def test_what_lives_already_is_learned_when_the_inventory_does_not_know_it() -> None:
    seen = InventoryUpdate(
        "service", NAME, engine_id=f"id-of-{NAME}", spec_hash=ONE.hash, template_hash=ONE.template_hash
    )
    assert planned(ONE, live(ONE)).seen == (seen,)
    assert planned(ONE, live(ONE), rows=(row(state="applying"),)).seen == (seen,)
    assert planned(ONE, live(ONE), rows=(row(engine_id="another"),)).seen == (seen,)


def test_what_is_about_to_be_written_is_not_learned_before() -> None:
    assert planned(TWO, live(ONE)).seen == ()


# -- networks and the edge -------------------------------------------------------------------------------------------


def home(edge_node: str | None = "n0de") -> Objects:
    return organization.render(an_organization(), OPTIONS, subnet="10.64.3.0/24", edge_node=edge_node, home=HOME)


def actions(changes: ChangeSet) -> list[tuple[str, str]]:
    return [(change.action, change.object_type) for change in changes.changes]


def test_the_network_comes_first_then_its_pin_then_the_edge() -> None:
    changes = plan(ORGANIZATION, home(), View(edge={"c1": frozenset()}), ())
    assert actions(changes) == [("create", "network"), ("create", "service"), ("connect", "edge")]
    assert str(changes).splitlines()[-1] == f"~ edge joins network {ORG_ACME}"


def test_services_go_before_their_network() -> None:
    wanted = home()
    view = View(
        [live(s) for s in wanted.services], [live_network(wanted.of(Network)[0])], {"c1": frozenset({ORG_ACME})}
    )
    assert actions(plan(ORGANIZATION, Objects(), view, ())) == [("delete", "service"), ("delete", "network")]


def test_a_network_that_is_otherwise_is_made_anew() -> None:
    (network,) = home(None).of(Network)
    there = live_network(network, subnet="10.0.5.0/24")
    change = one(plan(ORGANIZATION, home(None), View(networks=[there]), ()))
    assert (change.action, change.cause, change.live) == ("recreate", "Repaired", there)


def app_on(network: LiveNetwork) -> LiveService:
    """An environment's service on an organization's network."""
    (app,) = render(environment(), OPTIONS, HomeNetwork(network.id, network.name)).services
    return live(app)


def test_a_network_that_something_uses_is_not_made_anew() -> None:
    (network,) = home().of(Network)
    there = live_network(network, attachable=True)
    view = View([live(home().services[0]), app_on(there)], [there], {"c1": frozenset({ORG_ACME})})
    changes = plan(ORGANIZATION, home(), view, ())
    assert changes.changes == ()
    assert changes.kept == {ORG_ACME: f"Attachable: true -> false; {NAME} is on it"}
    view.services.pop()
    assert actions(plan(ORGANIZATION, home(), view, ())) == [("recreate", "network")], "its own pin is no reason"


def test_a_network_that_something_uses_stays_with_its_pin() -> None:
    (network,) = home().of(Network)
    there = live_network(network)
    view = View([live(home().services[0]), app_on(there)], [there], {"c1": frozenset({ORG_ACME})})
    changes = plan(ORGANIZATION, Objects(), view, ())
    assert changes.changes == ()
    assert changes.kept == {ORG_ACME: f"it is no longer wanted; {NAME} is on it"}


def test_the_edge_joins_before_anything_is_taken_away() -> None:
    wanted = home()
    pin = live(wanted.services[0])
    stray = replace(pin, id="stray", name="stray", spec={**pin.spec, "Labels": {**pin.labels, labels.PROCESS: "old"}})
    view = View([live(wanted.services[0]), stray], [live_network(wanted.of(Network)[0])], {"c1": frozenset()})
    assert actions(plan(ORGANIZATION, wanted, view, ())) == [("connect", "edge"), ("delete", "service")]


def test_a_network_that_somebody_removed_is_a_repair() -> None:
    rows = (InventoryRow("network", ORG_ACME, "some-id", "10.64.3.0/24", state="present"),)
    assert one(plan(ORGANIZATION, home(None), View(), rows)).cause == "Repaired"


def test_the_edge_joins_only_when_one_of_its_containers_is_not_there() -> None:
    wanted = home()
    there = View([live(wanted.services[0])], [live_network(wanted.of(Network)[0])])
    for edge, joins in (
        ({}, False),
        ({"c1": frozenset({ORG_ACME, "other"})}, False),
        ({"c1": frozenset({ORG_ACME}), "c2": frozenset({"other"})}, True),
    ):
        changes = plan(ORGANIZATION, wanted, replace(there, edge=edge), ())
        assert actions(changes) == ([("connect", "edge")] if joins else [])


def test_a_network_of_another_owner_is_not_learned() -> None:
    (network,) = home(None).of(Network)
    other = live_network(network, labels={**network.labels, labels.OWNER: "organization/other"})
    assert plan(ORGANIZATION, home(None), View(networks=[other]), ()).seen == ()


# -- change sets -----------------------------------------------------------------------------------------------------


def test_what_is_left_out_of_a_change_set_is_not_done() -> None:
    worker = render(environment(processes=[process("worker")]), OPTIONS, HOME).services[0]
    changes = plan(OWNER, Objects((ONE,)), View([live(worker)]), ())
    assert actions(changes) == [("create", "service"), ("delete", "service")]
    assert actions(changes.without(lambda change: change.action == "delete")) == [("create", "service")]


def test_many_differences_are_cut_short() -> None:
    there = live(ONE)
    extra = {f"by-hand-{n}": "1" for n in range(9)}
    change = one(planned(ONE, replace(there, spec={**there.spec, "Labels": {**there.spec["Labels"], **extra}})))
    assert str(change).endswith("; and 3 more")


# -- whatever is live ------------------------------------------------------------------------------------------------

tags = st.integers(1, 2)


@settings(max_examples=60)
@given(
    wanted=st.dictionaries(st.sampled_from(["web", "worker", "clock"]), tags, min_size=1),
    there=st.dictionaries(st.sampled_from(["web", "worker", "clock"]), tags),
)
def test_doing_what_was_planned_leaves_nothing_to_plan(wanted: dict[str, int], there: dict[str, int]) -> None:
    def services(of: dict[str, int]) -> list[Service]:
        return [
            render(
                environment(image_ref=f"registry.example.com/shop:{tag}", processes=[process(t)]), OPTIONS, HOME
            ).services[0]
            for t, tag in of.items()
        ]

    objects = Objects(tuple(services(wanted)))
    view = View([live(s) for s in services(there)])
    engine = {s.name: s for s in view.services}
    for change in plan(OWNER, objects, view, ()).changes:
        assert (change.name in engine) == (change.action != "create")
        if change.action == "delete":
            del engine[change.name]
        else:
            assert isinstance(change.target, Service)
            engine[change.name] = live(change.target)
    after = plan(OWNER, objects, View(list(engine.values())), ())
    assert after.changes == ()
    assert sorted(engine) == sorted(s.name for s in objects.services)


def test_networks_are_planned_on_their_exact_name() -> None:
    network = Network(ORG_ACME, "10.64.3.0/24", labels.owned("blue", "organization", "1", "1"))
    other = live_network(replace(network, name="org-acme-two"))
    assert actions(plan(ORGANIZATION, Objects((network,)), View(networks=[other]), ()))[0] == (
        "create",
        "network",
    )
