"""Networks of the Swarm: addresses that are given, and those that are refused after the answer said 201."""

from __future__ import annotations

import re

import pytest

from tests.conformance.engine.place import PAUSE, Document, Place

pytestmark = pytest.mark.anyio


async def test_a_network_is_read_back_with_what_was_allocated(place: Place) -> None:
    half = place.subnet.replace("/24", "/25")
    answer = await place.ask(
        "POST",
        "/networks/create",
        {
            "Name": place.name("net"),
            "Driver": "overlay",
            "Labels": {"a": "b"},
            "IPAM": {"Driver": "default", "Config": [{"Subnet": place.subnet, "IPRange": half}]},
        },
    )
    assert answer.status == 201
    assert answer.body.keys() == {"Id", "Warning"}
    assert re.fullmatch(r"[0-9a-z]{25}", answer.body["Id"])

    async def allocated() -> Document | None:
        found: Document = await place.get(f"/networks/{place.name('net')}")
        return found if found["Driver"] else None

    found = await place.until(allocated)
    assert found is not None
    vxlan = found["Options"].pop("com.docker.network.driver.overlay.vxlanid_list")
    assert int(vxlan) > 4096
    assert {k: v for k, v in found.items() if k != "Created"} == {
        "Name": place.name("net"),
        "Id": answer.body["Id"],
        "Scope": "swarm",
        "Driver": "overlay",
        "EnableIPv6": False,
        "IPAM": {
            "Driver": "default",
            "Options": None,
            "Config": [{"Subnet": place.subnet, "IPRange": half, "Gateway": place.subnet.replace("0/24", "1")}],
        },
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": None,
        "Options": {},
        "Labels": {"a": "b"},
    }


async def test_a_network_without_a_subnet_gets_one(place: Place) -> None:
    created = await place.post("/networks/create", {"Name": place.name("net"), "Driver": "overlay"})

    async def allocated() -> Document | None:
        found: Document = await place.get(f"/networks/{created['Id']}")
        return found if found["Driver"] else None

    found = await place.until(allocated)
    assert found is not None
    assert found["IPAM"]["Config"][0]["Subnet"].endswith(".0/24")
    assert found["Labels"] is None


A, AROUND, LOWER, UPPER = "10.{n}.0.0/24", "10.{n}.0.0/23", "10.{n}.0.0/25", "10.{n}.0.128/25"
OTHER_HALF, QUARTER = "10.{n}.1.0/24", "10.{n}.0.128/26"


@pytest.mark.parametrize(
    ("first", "second", "given"),
    [
        ((A, None), (A, None), False),
        ((A, None), (LOWER, None), False),
        ((A, LOWER), (LOWER, None), False),
        ((A, LOWER), (UPPER, None), False),
        ((A, LOWER), (AROUND, None), False),
        ((A, LOWER), (A, LOWER), False),
        ((A, LOWER), (A, UPPER), True),
        ((A, None), (A, LOWER), True),
        ((A, None), (AROUND, A), True),
        ((A, LOWER), (AROUND, OTHER_HALF), True),
        ((A, None), (UPPER, QUARTER), True),
    ],
)
async def test_a_subnet_of_which_another_network_has_a_part(
    place: Place, first: tuple[str, str | None], second: tuple[str, str | None], given: bool
) -> None:
    """It is refused after the answer; with a range for tasks it is even given, unless both are the same."""
    n = 100 + place.number % 100

    def pool(pair: tuple[str, str | None]) -> Document:
        found = {"Subnet": pair[0].format(n=n)}
        return found if pair[1] is None else {**found, "IPRange": pair[1].format(n=n)}

    await place.network(
        "first", subnet=pool(first)["Subnet"], **{k: v for k, v in pool(first).items() if k != "Subnet"}
    )
    body = {"Name": place.name("second"), "Driver": "overlay", "IPAM": {"Config": [pool(second)]}}
    async with place.events() as heard:
        answer = await place.ask("POST", "/networks/create", body)
        assert answer.status == 201
        if given:

            async def allocated() -> bool:
                return bool((await place.get(f"/networks/{answer.body['Id']}"))["Driver"] == "overlay")

            await place.until(allocated)
            return
        probe = await place.network("third", subnet=f"10.{n}.200.0/24")  # the allocator takes one after the other
        found = await place.get(f"/networks/{answer.body['Id']}")
        assert (found["Driver"], found["IPAM"]["Config"], found["Options"]) == ("", None, None)
        updates = {e["Actor"]["ID"] for e in heard if e["Action"] == "update"}
        assert answer.body["Id"] not in updates
        assert (await place.ask("DELETE", f"/networks/{place.name('first')}")).status == 204

        async def healed() -> bool:
            return bool((await place.get(f"/networks/{answer.body['Id']}"))["Driver"] == "overlay")

        await place.until(healed, what="what was in the way has gone, so the subnet is given")
        assert probe


async def test_names_are_whole_and_given_once(place: Place) -> None:
    await place.network("n", subnet=place.subnet)
    again = await place.ask("POST", "/networks/create", {"Name": place.name("n"), "Driver": "overlay"})
    assert (again.status, again.error) == (409, "NameTaken")
    assert again.text == f"network with name {place.name('n')} already exists"
    await place.network("n2", subnet=place.subnet.replace("10.", "11."), Labels={"k": place.name("")})

    async def found(**filters: list[str]) -> list[str]:
        return sorted(n["Name"] for n in await place.get("/networks", filters=filters))

    assert await found(name=[place.name("n")]) == [place.name("n")], "unlike a service's, and unlike a local network's"
    assert await found(label=["k=" + place.name("")]) == [place.name("n2")]
    assert await found(name=[place.name("n2")], driver=["overlay"], scope=["swarm"]) == [place.name("n2")]
    assert {"bridge", "docker_gwbridge"} <= set(await found(name=["ridg"]))
    answer = await place.ask("GET", "/networks", filters={"nonesuch": ["x"]})
    assert (answer.status, answer.text) == (400, "invalid filter 'nonesuch'")


@pytest.mark.parametrize(
    ("pool", "text"),
    [
        ({"Subnet": "nonsense"}, "invalid network config: invalid subnet nonsense: invalid CIDR block notation"),
        (
            {"Subnet": "10.9.0.0/24", "IPRange": "10.8.0.0/25"},
            "invalid network config: invalid ip-range 10.8.0.0/25: parent subnet 10.9.0.0/24 doesn't contain ip-range",
        ),
    ],
    ids=["no subnet", "range outside"],
)
async def test_a_wrong_pool_is_refused(place: Place, pool: dict[str, str], text: str) -> None:
    answer = await place.ask(
        "POST", "/networks/create", {"Name": place.name("n"), "Driver": "overlay", "IPAM": {"Config": [pool]}}
    )
    assert (answer.status, answer.error, answer.text) == (400, "Refused", text)


async def test_what_does_not_exist_is_not_found(place: Place) -> None:
    for answer in (await place.ask("GET", "/networks/nonesuch"), await place.ask("DELETE", "/networks/nonesuch")):
        assert (answer.status, answer.error, answer.text) == (404, "NotFound", "network nonesuch not found")
    own = await place.ask("DELETE", "/networks/bridge")
    assert (own.status, own.error) == (403, "Refused")
    assert own.text == "bridge is a pre-defined network and cannot be removed"


async def test_a_network_is_in_use_by_services_and_not_by_tasks_that_are_going(place: Place) -> None:
    network = await place.network()
    service = await place.create(template={"Networks": [{"Target": network}]}, container={"Image": PAUSE}, replicas=1)
    (task,) = await place.runs()
    answer = await place.ask("DELETE", f"/networks/{network}")
    assert (answer.status, answer.error) == (400, "InUse")
    assert answer.text == (
        f"rpc error: code = FailedPrecondition desc = network {network} is in use by service {service}"
    )
    assert (await place.ask("DELETE", f"/services/{service}")).status == 200
    still = await place.ask("GET", f"/tasks/{task['ID']}")
    assert still.body["Status"]["State"] == "running"
    assert (await place.ask("DELETE", f"/networks/{network}")).status == 204, "its task still runs"
    # The node keeps a copy until the container has gone: that blocks the name.
    assert (await place.get(f"/networks/{network}"))["Name"] == place.name("net")
    again = await place.ask("POST", "/networks/create", {"Name": place.name("net"), "Driver": "overlay"})
    assert (again.status, again.error) == (409, "NameTaken")
    gone = await place.ask("DELETE", f"/networks/{network}")
    assert (gone.status, gone.error, gone.text) == (500, "NotFound", f"network {network} not found")

    async def forgotten() -> bool:
        return (await place.ask("GET", f"/networks/{network}")).status == 404

    await place.until(forgotten, what="the node forgets the network")
    await place.network()

    async def reaped() -> bool:
        return (await place.ask("GET", f"/tasks/{task['ID']}")).status == 404

    await place.until(reaped, what="the end of the task")


async def test_a_task_without_an_address_stays_new_and_nothing_says_why(place: Place) -> None:
    """Two addresses are left of this range: one task has one, the node's load balancer the other."""
    network = await place.network(subnet=place.subnet.replace("/24", "/29"), IPRange=place.subnet.replace("/24", "/30"))
    await place.create(template={"Networks": [{"Target": network}]}, container={"Image": PAUSE}, replicas=1)
    (task,) = await place.runs()
    assert task["NetworksAttachments"][0]["Network"]["ID"] == network
    (address,) = task["NetworksAttachments"][0]["Addresses"]
    assert address in {place.subnet.replace("0/24", f"{n}/29") for n in (2, 3)}
    assert (await place.update(replicas=2)).status == 200

    async def second() -> Document | None:
        return next((t for t in await place.tasks() if t["Slot"] == 2), None)

    waiting = await place.until(second)
    assert waiting is not None
    await place.create("other", replicas=1, container={"Image": PAUSE})
    await place.runs("other")  # time enough for whoever has an address
    waiting = await second()
    assert waiting is not None
    assert (waiting["Status"]["State"], waiting["Status"].get("Err")) == ("new", None)
    assert "NetworksAttachments" not in waiting
    (listed,) = await place.get("/services", filters={"name": [place.name("web")]}, status="true")
    assert listed["ServiceStatus"] == {"RunningTasks": 1, "DesiredTasks": 2, "CompletedTasks": 0}
    assert "UpdateStatus" not in listed
