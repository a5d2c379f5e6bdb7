"""The live view: answers that come late do not undo what is newer, and whoever is concerned is told once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import anyio
import orjson
import pytest
from anyio.lowlevel import checkpoint

from controller.swarm import service_cache
from controller.swarm.client import EngineClient
from controller.swarm.errors import EngineUnavailable, NotFound
from controller.swarm.feed import Feed
from controller.swarm.liveview import LiveView
from controller.swarm.object_cache import OwnerKey
from reconcilers import labels
from reconcilers.ports import EdgePlace, LiveService

pytestmark = pytest.mark.anyio

ACME, GLOBEX = ("environment", "acme"), ("environment", "globex")
HOME = ("organization", "acme")


def service(object_id: str, version: int = 1, owner: OwnerKey = ACME, **changes: Any) -> dict[str, Any]:
    owned = labels.owned("blue", *owner, "acme")
    return {
        "ID": object_id,
        "Version": {"Index": version},
        "Spec": {"Name": f"name-{object_id}", "Labels": owned, **changes},
    }


def network(object_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "Id": object_id,
        "Name": "org-acme",
        "Driver": "overlay",
        "Scope": "swarm",
        "IPAM": {"Config": [{"Subnet": "10.64.3.0/24", "IPRange": "10.64.3.0/25"}]},
        "Labels": labels.owned("blue", *HOME, "acme"),
        **changes,
    }


class Engine:
    """The few reads of an engine that a live view makes; a list can be held back after it was made."""

    node_id = "n0de"
    host = "unix:///engine"

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}
        self.nets: dict[str, dict[str, Any]] = {}
        self.edges: dict[str, list[str]] = {}
        self.edge_ids: list[str] = []
        self.edge_elsewhere: dict[str, str] = {}
        self.states: dict[str, str] = {}
        self.running: list[dict[str, Any]] = []
        self.secrets = b"[]"
        self.release = anyio.Event()
        self.release.set()
        self.listing = anyio.Event()

    def hold(self) -> None:
        self.release, self.listing = anyio.Event(), anyio.Event()

    async def services(self, _label: str, *, status: bool = False) -> bytes:
        answer = orjson.dumps(list(self.found.values()))
        self.listing.set()
        await self.release.wait()
        return answer

    async def services_by_id(self, ids: list[str]) -> list[dict[str, Any]]:
        return [self.found[i] for i in ids if i in self.found]

    async def service(self, id_or_name: str) -> dict[str, Any]:
        for document in self.found.values():
            if id_or_name in (document["ID"], document["Spec"]["Name"]):
                return document
        raise NotFound(404, "service not found")

    async def networks(self) -> list[dict[str, Any]]:
        return list(self.nets.values())

    async def network(self, id_or_name: str) -> dict[str, Any]:
        for document in self.nets.values():
            if id_or_name in (document["Id"], document["Name"]):
                return document
        raise NotFound(404, "network not found")

    async def contents(self, object_type: str, _label: str) -> bytes:
        return self.secrets if object_type == "secret" else b"[]"

    async def nodes(self) -> list[dict[str, Any]]:
        return [{"ID": node, "Status": {"State": state}} for node, state in self.states.items()]

    async def tasks(self, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        if "service" in filters:
            found = {**dict.fromkeys(self.edges, self.node_id), **self.edge_elsewhere}
            return [
                {"NodeID": node, "Status": {"State": "running", "ContainerStatus": {"ContainerID": container}}}
                for container, node in found.items()
            ]
        return [t for t in self.running if t["NodeID"] in filters["node"]]

    async def edge_services(self) -> list[str]:
        return self.edge_ids

    async def service_containers(self, _service_id: str) -> list[dict[str, Any]]:
        return [{"Id": c, "NetworkSettings": {"Networks": dict.fromkeys(nets)}} for c, nets in self.edges.items()]


class Seen:
    """A live view of an engine, and who was told."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.told: list[set[OwnerKey]] = []
        self.view = LiveView("blue", self.tell)
        self.feed = Feed(cast("EngineClient", self.engine), self.view)

    def tell(self, owners: Iterable[OwnerKey]) -> None:
        self.told.append(set(owners))

    def has(self, *documents: dict[str, Any]) -> None:
        for document in documents:
            (self.engine.found if "ID" in document else self.engine.nets)[document.get("ID") or document["Id"]] = (
                document
            )

    async def look(self) -> list[set[OwnerKey]]:
        """List everything; who was told by that."""
        self.told.clear()
        await self.feed.refresh_all()
        return self.told


@pytest.fixture
def seen() -> Seen:
    return Seen()


async def test_a_list_tells_the_owner_of_everything_that_came_changed_or_went(seen: Seen) -> None:
    seen.has(service("1"), service("2", owner=GLOBEX), network("n"))
    assert await seen.look() == [{ACME, GLOBEX, HOME}]
    assert await seen.look() == []
    seen.has(service("1", 2))
    assert await seen.look() == [{ACME}]
    del seen.engine.found["2"]
    assert await seen.look() == [{GLOBEX}]
    assert seen.view.owners() == {ACME: 1, HOME: 1}
    assert seen.view.counts() == {"service": 1, "network": 1, "secret": 0, "config": 0, "job": 0}


async def test_a_job_is_in_the_list_of_services_and_is_none(seen: Seen) -> None:
    seen.has(service("1", Mode={"ReplicatedJob": {}}), service("2"))
    assert await seen.look() == [{ACME}]
    assert seen.view.counts() == {"service": 1, "network": 0, "secret": 0, "config": 0, "job": 1}
    assert seen.view.owners() == {ACME: 2}
    assert seen.view.find("job", "name-1") is not None
    assert seen.view.find("job", "name-2") is None
    assert seen.view.find("service", "name-1") is seen.view.service("name-1") is None
    assert [live.name for live in seen.view.owned_services(ACME)] == ["name-2"]
    assert [live.name for live in seen.view.owned("job", ACME)] == ["name-1"]
    del seen.engine.found["1"]
    await seen.feed.refresh("service", "1")
    assert seen.told[-1] == {ACME}
    assert seen.view.owned("job", ACME) == []
    seen.has(service("3", Mode={"GlobalJob": {}}))
    assert await seen.look() == [{ACME}]
    del seen.engine.found["3"]
    assert await seen.look() == [{ACME}]
    assert seen.view.counts()["job"] == 0


async def test_who_has_a_job_is_named_when_its_tasks_go_on(seen: Seen) -> None:
    def counted(running: int, completed: int) -> dict[str, Any]:
        counts = {"RunningTasks": running, "DesiredTasks": 1, "CompletedTasks": completed}
        return {**service("1", Mode={"ReplicatedJob": {}}), "ServiceStatus": counts}

    named = []
    for document in (counted(0, 0), counted(1, 0), counted(1, 0), counted(0, 1), counted(0, 1)):
        seen.has(document)
        named.append(await seen.feed.count_tasks())
    assert named == [[ACME], [ACME], [], [ACME], []]


async def test_another_installation_s_objects_are_nobody_s(seen: Seen) -> None:
    seen.has(network("n", Labels=labels.owned("green", *HOME, "acme")))
    assert await seen.look() == []
    assert seen.view.subnets() == [("org-acme", "10.64.3.0/24")], "their address ranges are taken all the same"
    assert seen.view.owners() == {}


async def test_both_owners_are_told_when_a_label_changes_hands(seen: Seen) -> None:
    seen.has(service("1"))
    await seen.look()
    seen.has(service("1", 2, owner=GLOBEX))
    assert await seen.look() == [{ACME, GLOBEX}]
    assert seen.view.owned_services(ACME) == []


async def test_an_owner_is_told_when_somebody_takes_our_labels_away(seen: Seen) -> None:
    seen.has(service("1"))
    await seen.look()
    seen.has(service("1", 2, Labels={}))
    await seen.feed.refresh("service", "1")
    assert seen.told[-1] == {ACME}
    assert seen.view.service("name-1") is None


async def test_a_list_that_was_asked_for_before_a_create_does_not_undo_it(seen: Seen) -> None:
    seen.engine.hold()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seen.feed.refresh_all)
        await seen.engine.listing.wait()
        seen.has(service("1"))
        await seen.feed.read_back("1")
        seen.engine.release.set()
    assert seen.view.service("name-1") is not None
    del seen.engine.found["1"]
    await seen.look()
    assert seen.view.service("name-1") is None, "a list that was asked for later is believed"


async def test_a_list_that_was_asked_for_before_a_removal_does_not_bring_it_back(seen: Seen) -> None:
    seen.has(service("1"), network("n"))
    await seen.look()
    seen.engine.hold()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seen.feed.refresh_all)
        await seen.engine.listing.wait()
        del seen.engine.found["1"]
        seen.view.removed("service", "1")
        seen.engine.release.set()
    assert seen.view.service("name-1") is None


@pytest.mark.parametrize("known", [True, False], ids=["known", "on-the-list-alone"])
async def test_a_list_that_was_asked_for_before_the_engine_denied_it_does_not_bring_it_back(
    seen: Seen, known: bool
) -> None:
    seen.has(service("1"))
    if known:
        await seen.look()
    seen.engine.hold()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seen.feed.refresh_all)
        await seen.engine.listing.wait()
        del seen.engine.found["1"]
        await seen.feed.refresh("service", "1")
        seen.engine.release.set()
    assert seen.view.service("name-1") is None


async def test_a_list_that_was_asked_for_before_an_update_does_not_take_it_back(seen: Seen) -> None:
    seen.has(service("1", 1))
    await seen.look()
    seen.engine.hold()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seen.feed.refresh_all)
        await seen.engine.listing.wait()
        seen.has(service("1", 5))
        await seen.feed.read_back("1")
        seen.engine.release.set()
    live = seen.view.service("name-1")
    assert live is not None
    assert live.version == 5


async def test_a_service_that_was_made_anew_under_its_name_is_the_new_one(seen: Seen) -> None:
    seen.has(service("1"))
    await seen.look()
    del seen.engine.found["1"]
    seen.has({**service("2"), "Spec": service("1")["Spec"]})
    await seen.look()
    live = seen.view.service("name-1")
    assert live is not None
    assert live.id == "2"


async def test_a_service_that_went_is_known_to_be_gone_by_its_name_too(seen: Seen) -> None:
    seen.has(service("1"))
    await seen.look()
    del seen.engine.found["1"]
    await seen.feed.refresh("service", "name-1")
    assert seen.view.service("name-1") is None
    assert seen.told[-1] == {ACME}


async def test_what_we_wrote_ourselves_is_read_back_without_telling(seen: Seen) -> None:
    seen.has(service("1"))
    await seen.feed.read_back("1")
    assert seen.told == []
    assert seen.view.service("name-1") is not None


async def test_reads_back_at_once_are_one_call(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    read = seen.engine.services_by_id

    async def services_by_id(ids: list[str]) -> list[dict[str, Any]]:
        asked.append(ids)
        await checkpoint()
        return await read(ids)

    monkeypatch.setattr(seen.engine, "services_by_id", services_by_id)
    seen.has(*(service(str(n)) for n in range(9)))
    async with anyio.create_task_group() as tasks:
        for n in range(9):
            tasks.start_soon(seen.feed.read_back, str(n))
    assert len(asked) == 2
    assert seen.view.counts()["service"] == 9


async def test_a_list_that_was_asked_for_before_a_create_does_not_undo_it_whatever_was_listed_meanwhile(
    seen: Seen,
) -> None:
    asked, answered = anyio.Event(), anyio.Event()
    networks = seen.engine.networks

    async def late() -> list[dict[str, Any]]:
        found = await networks()
        asked.set()
        await answered.wait()
        return found

    async with anyio.create_task_group() as tasks:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(seen.engine, "networks", late)
            tasks.start_soon(seen.feed.refresh_all)
            await asked.wait()
        seen.has(network("n"))
        await seen.feed.refresh("network", "n")
        await seen.feed.count_tasks()  # a list of services that was asked for later, and comes earlier
        answered.set()
    assert seen.view.network("org-acme") is not None


# -- the edge --------------------------------------------------------------------------------------------------------


async def test_an_organization_is_told_when_the_edge_leaves_its_network(seen: Seen) -> None:
    seen.engine.edge_ids, seen.engine.edges = ["edge"], {"c1": ["org-acme", "skypanel-edge"]}
    seen.has(
        network("n"), network("m", Name="org-globex", Labels=labels.owned("blue", "organization", "globex", "globex"))
    )
    await seen.look()
    seen.engine.edges = {"c1": ["skypanel-edge"]}
    assert await seen.look() == [{HOME}]


async def test_everybody_is_told_of_a_new_edge_container(seen: Seen) -> None:
    seen.engine.edge_ids, seen.engine.edges = ["edge"], {"c1": ["org-acme"]}
    seen.has(network("n"))
    await seen.look()
    seen.engine.edges = {"c2": ["org-acme"]}
    assert await seen.look() == [{HOME}]


async def test_there_is_an_edge_node_only_with_an_edge(seen: Seen) -> None:
    await seen.look()
    assert seen.view.edge_node() is None
    seen.engine.edge_ids = ["edge"]
    await seen.feed.refresh_edge_services()
    assert seen.view.edge_node() == "n0de"


async def test_where_the_edge_s_tasks_run_is_asked_and_not_taken_for_granted(seen: Seen) -> None:
    seen.has(network("n"))
    await seen.look()
    assert (seen.view.edge_place(), seen.view.edge_is_on("org-acme")) == (EdgePlace(), False)
    seen.engine.edge_ids, seen.engine.edges = ["edge"], {"c1": ["org-acme"]}
    assert await seen.look() == [{HOME}]
    assert (seen.view.edge_place(), seen.view.edge_is_on("org-acme")) == (EdgePlace(declared=True, here=1), True)
    seen.engine.edge_elsewhere = {"c2": "another"}
    seen.told.clear()
    await seen.feed.count_tasks()
    assert seen.told == [{HOME}], "the poll sees what no event of this engine says"
    assert seen.view.edge_place() == EdgePlace(declared=True, here=1, elsewhere=("another",))
    assert not seen.view.edge_is_on("org-acme")


async def test_the_network_of_an_organization_is_found_by_its_owner_whatever_it_is_called(seen: Seen) -> None:
    attached: Any = {"Networks": [{"Target": "n2"}]}
    seen.has(network("n1", Name="a"), network("n2", Name="b"), network("n3", Name="c", Driver=""))
    await seen.look()
    assert [seen.view.network_of("acme")] == [seen.view.network("a")]
    seen.has(service("1", TaskTemplate=attached))
    await seen.look()
    assert [seen.view.network_of("acme")] == [seen.view.network("b")], "the one that services are on"
    assert seen.view.on_network("n2") == ["name-1"]
    seen.has(service("1", 2))
    await seen.look()
    assert seen.view.on_network("n2") == []
    assert seen.view.network_of("globex") is None


async def test_an_older_copy_of_the_swarm_is_the_swarm(seen: Seen) -> None:
    seen.has(service("1", 90, Name="late"))
    await seen.look()
    seen.has(service("1", 7, Name="early"))
    await seen.feed.count_tasks()
    assert seen.view.service("late") is not None, "a poll may be late, and does not go back"
    assert await seen.look() == [{ACME}]
    assert (seen.view.service("early") is not None, seen.view.service("late")) == (True, None)


async def test_a_fingerprint_changes_with_whatever_an_object_depends_on(seen: Seen) -> None:
    seen.engine.edge_ids, seen.engine.edges = ["edge"], {"c1": ["org-acme"]}
    seen.has(service("1"), service("2", owner=GLOBEX), network("n"))

    async def prints() -> tuple[Any, Any]:
        await seen.look()
        return seen.view.fingerprint(ACME, "acme"), seen.view.fingerprint(HOME, "acme")

    first = await prints()
    seen.has(service("2", 9, owner=GLOBEX))
    assert await prints() == first, "another tenant's change is none"
    seen.has(service("1", 2))
    second = await prints()
    assert (second[0] != first[0], second[1] == first[1]) == (True, True)
    seen.engine.edges = {"c1": []}
    third = await prints()
    assert (third[0] != second[0], third[1] != second[1]) == (True, True), "its domains depend on the edge too"
    seen.engine.nets = {}
    seen.has(network("n2"))
    fourth = await prints()
    assert fourth[0] != third[0]


@pytest.mark.parametrize(("state", "short"), [("ready", []), ("unknown", []), ("down", [ACME])])
async def test_a_task_on_a_node_that_is_down_does_not_run_whatever_the_engine_counts(
    seen: Seen, state: str, short: list[OwnerKey]
) -> None:
    counted = {"RunningTasks": 2, "DesiredTasks": 2}
    seen.has({**service("1"), "ServiceStatus": counted}, {**service("2", owner=GLOBEX), "ServiceStatus": counted})
    seen.engine.states = {"near": "ready", "far": state}
    on = [("1", "near"), ("1", "far"), ("2", "near"), ("2", "near")]
    seen.engine.running = [{"ServiceID": s, "NodeID": node, "Status": {"State": "running"}} for s, node in on]
    await seen.look()
    assert await seen.feed.count_tasks() == short


async def test_what_a_list_says_again_is_not_decoded_again(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    seen.has(service("1"), service("2"))
    await seen.look()
    seen.has(service("2", 2))
    decoded: list[str] = []

    def service_of(document: dict[str, Any]) -> LiveService:
        decoded.append(document["ID"])
        return service_cache.service_of(document)

    monkeypatch.setattr("controller.swarm.feed.service_of", service_of)
    assert await seen.look() == [{ACME}]
    assert decoded == ["2"]


async def test_a_list_that_looks_split_inside_an_element_is_read_as_a_whole(seen: Seen) -> None:
    seen.has(service("1", Parts=[{"ID": "x"}, {"ID": "y"}]), service("2", owner=GLOBEX))
    assert await seen.look() == [{ACME, GLOBEX}]
    assert await seen.look() == []
    assert seen.view.owners() == {ACME: 1, GLOBEX: 1}


async def test_a_list_that_is_none_changes_nothing(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    seen.has(service("1"))
    await seen.look()

    async def services(_label: str, *, status: bool = False) -> bytes:
        return b"bad gateway"

    monkeypatch.setattr(seen.engine, "services", services)
    with pytest.raises(EngineUnavailable, match="not JSON"):
        await seen.feed.refresh_all()
    assert seen.view.owners() == {ACME: 1}


async def test_counted_tasks_tell_the_owners_that_are_short(seen: Seen) -> None:
    counts = {"RunningTasks": 1, "DesiredTasks": 2, "CompletedTasks": 0}
    seen.has(service("1"), service("2", owner=GLOBEX))
    await seen.look()
    seen.has({**service("1"), "ServiceStatus": counts}, {**service("2", owner=GLOBEX), "JobStatus": None})
    assert await seen.feed.count_tasks() == [ACME]


async def test_a_list_is_read_in_slices(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1
        await checkpoint()

    monkeypatch.setattr("controller.swarm.feed.checkpoint", turn)
    seen.has(*(service(f"{number}") for number in range(1000)))
    await seen.look()
    assert turns == 5
    assert seen.view.owners() == {ACME: 1000}


def secrets(count: int) -> bytes:
    owned = labels.owned("blue", *ACME, "acme")
    return orjson.dumps(
        [{"ID": f"s{n}", "Version": {"Index": 1}, "Spec": {"Name": f"n{n}", "Labels": owned}} for n in range(count)]
    )


async def test_a_list_of_secrets_that_is_cut_off_is_no_answer(seen: Seen) -> None:
    seen.engine.secrets = secrets(3)
    await seen.look()
    seen.engine.secrets = secrets(2)[:-20] + b"]"
    with pytest.raises(EngineUnavailable, match="secrets"):
        await seen.look()
    assert {live.id for live in seen.view.owned("secret", ACME)} == {"s0", "s1", "s2"}


async def test_a_long_list_of_secrets_lets_everything_else_have_its_turn(seen: Seen) -> None:
    seen.engine.secrets = secrets(1000)
    turns = 0

    async def work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        await checkpoint()
        before = turns
        await seen.look()
        taken = turns - before
        seen.engine.secrets = b"[]"
        before = turns
        await seen.look()
        assert taken - (turns - before) >= 1000 // 250
        tasks.cancel_scope.cancel()
