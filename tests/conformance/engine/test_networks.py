"""Networks of the Swarm: addresses that are given, and those that are refused after the answer said 201."""

from __future__ import annotations

import re

import pytest

from tests.conformance.engine.harness import PAUSE, Document, EngineHarness

pytestmark = pytest.mark.anyio


async def test_a_network_is_read_back_with_what_was_allocated(here: EngineHarness) -> None:
    half = here.subnet.replace("/24", "/25")
    answer = await here.ask(
        "POST",
        "/networks/create",
        {
            "Name": here.name("net"),
            "Driver": "overlay",
            "Labels": {"a": "b"},
            "IPAM": {"Driver": "default", "Config": [{"Subnet": here.subnet, "IPRange": half}]},
        },
    )
    assert answer.status == 201
    assert answer.body.keys() == {"Id", "Warning"}
    assert re.fullmatch(r"[0-9a-z]{25}", answer.body["Id"])

    async def allocated() -> Document | None:
        found: Document = await here.get(f"/networks/{here.name('net')}")
        return found if found["Driver"] else None

    found = await here.until(allocated)
    assert found is not None
    vxlan = found["Options"].pop("com.docker.network.driver.overlay.vxlanid_list")
    assert int(vxlan) > 4096
    assert found.pop("EnableIPv4", True) is True  # said from Engine 28 on
    assert {k: v for k, v in found.items() if k != "Created"} == {
        "Name": here.name("net"),
        "Id": answer.body["Id"],
        "Scope": "swarm",
        "Driver": "overlay",
        "EnableIPv6": False,
        "IPAM": {
            "Driver": "default",
            "Options": None,
            "Config": [{"Subnet": here.subnet, "IPRange": half, "Gateway": here.subnet.replace("0/24", "1")}],
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


async def test_a_network_without_a_subnet_gets_one(here: EngineHarness) -> None:
    created = await here.post("/networks/create", {"Name": here.name("net"), "Driver": "overlay"})

    async def allocated() -> Document | None:
        found: Document = await here.get(f"/networks/{created['Id']}")
        return found if found["Driver"] else None

    found = await here.until(allocated)
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
    here: EngineHarness, first: tuple[str, str | None], second: tuple[str, str | None], given: bool
) -> None:
    """It is refused after the answer; with a range for tasks it is even given, unless both are the same."""
    n = 100 + here.number % 100

    def pool(pair: tuple[str, str | None]) -> Document:
        found = {"Subnet": pair[0].format(n=n)}
        return found if pair[1] is None else {**found, "IPRange": pair[1].format(n=n)}

    await here.network("first", subnet=pool(first)["Subnet"], **{k: v for k, v in pool(first).items() if k != "Subnet"})
    body = {"Name": here.name("second"), "Driver": "overlay", "IPAM": {"Config": [pool(second)]}}
    async with here.events() as heard:
        answer = await here.ask("POST", "/networks/create", body)
        assert answer.status == 201
        if given:

            async def allocated() -> bool:
                return bool((await here.get(f"/networks/{answer.body['Id']}"))["Driver"] == "overlay")

            await here.until(allocated)
            return
        probe = await here.network("third", subnet=f"10.{n}.200.0/24")  # the allocator takes one after the other
        found = await here.get(f"/networks/{answer.body['Id']}")
        assert (found["Driver"], found["IPAM"]["Config"], found["Options"]) == ("", None, None)
        updates = {e["Actor"]["ID"] for e in heard if e["Action"] == "update"}
        assert answer.body["Id"] not in updates
        assert (await here.ask("DELETE", f"/networks/{here.name('first')}")).status == 204

        async def healed() -> bool:
            return bool((await here.get(f"/networks/{answer.body['Id']}"))["Driver"] == "overlay")

        await here.until(healed, what="what was in the way has gone, so the subnet is given")
        assert probe


async def test_names_are_whole_and_given_once(here: EngineHarness) -> None:
    await here.network("n", subnet=here.subnet)
    again = await here.ask("POST", "/networks/create", {"Name": here.name("n"), "Driver": "overlay"})
    assert (again.status, again.error) == (409, "NameTaken")
    assert again.text == f"network with name {here.name('n')} already exists"
    await here.network("n2", subnet=here.subnet.replace("10.", "11."), Labels={"k": here.name("")})

    async def found(**filters: list[str]) -> list[str]:
        return sorted(n["Name"] for n in await here.get("/networks", filters=filters))

    assert await found(name=[here.name("n")]) == [here.name("n")], "unlike a service's, and unlike a local network's"
    assert await found(label=["k=" + here.name("")]) == [here.name("n2")]
    assert await found(name=[here.name("n2")], driver=["overlay"], scope=["swarm"]) == [here.name("n2")]
    assert {"bridge", "docker_gwbridge"} <= set(await found(name=["ridg"]))
    answer = await here.ask("GET", "/networks", filters={"nonesuch": ["x"]})
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
async def test_a_wrong_pool_is_refused(here: EngineHarness, pool: dict[str, str], text: str) -> None:
    answer = await here.ask(
        "POST", "/networks/create", {"Name": here.name("n"), "Driver": "overlay", "IPAM": {"Config": [pool]}}
    )
    assert (answer.status, answer.error, answer.text) == (400, "Refused", text)


async def test_what_does_not_exist_is_not_found(here: EngineHarness) -> None:
    for answer in (await here.ask("GET", "/networks/nonesuch"), await here.ask("DELETE", "/networks/nonesuch")):
        assert (answer.status, answer.error, answer.text) == (404, "NotFound", "network nonesuch not found")
    own = await here.ask("DELETE", "/networks/bridge")
    assert (own.status, own.error) == (403, "Refused")
    assert own.text == "bridge is a pre-defined network and cannot be removed"


async def test_a_network_is_in_use_by_services_and_not_by_tasks_that_are_going(here: EngineHarness) -> None:
    network = await here.network()
    service = await here.create(template={"Networks": [{"Target": network}]}, container={"Image": PAUSE}, replicas=1)
    (task,) = await here.runs()
    answer = await here.ask("DELETE", f"/networks/{network}")
    assert (answer.status, answer.error) == (400, "InUse")
    assert answer.text == (
        f"rpc error: code = FailedPrecondition desc = network {network} is in use by service {service}"
    )
    assert (await here.ask("DELETE", f"/services/{service}")).status == 200
    still = await here.ask("GET", f"/tasks/{task['ID']}")
    assert still.body["Status"]["State"] == "running"
    assert (await here.ask("DELETE", f"/networks/{network}")).status == 204, "its task still runs"
    # The node keeps a copy until the container has gone: that blocks the name.
    assert (await here.get(f"/networks/{network}"))["Name"] == here.name("net")
    again = await here.ask("POST", "/networks/create", {"Name": here.name("net"), "Driver": "overlay"})
    assert (again.status, again.error) == (409, "NameTaken")
    gone = await here.ask("DELETE", f"/networks/{network}")
    assert (gone.status, gone.error, gone.text) == (500, "NotFound", f"network {network} not found")

    async def forgotten() -> bool:
        return (await here.ask("GET", f"/networks/{network}")).status == 404

    await here.until(forgotten, what="the node forgets the network")
    await here.network()

    async def reaped() -> bool:
        return (await here.ask("GET", f"/tasks/{task['ID']}")).status == 404

    await here.until(reaped, what="the end of the task")


async def test_a_task_without_an_address_stays_new_and_nothing_says_why(here: EngineHarness) -> None:
    """Two addresses are left of this range: one task has one, the node's load balancer the other."""
    network = await here.network(subnet=here.subnet.replace("/24", "/29"), IPRange=here.subnet.replace("/24", "/30"))
    await here.create(template={"Networks": [{"Target": network}]}, container={"Image": PAUSE}, replicas=1)
    (task,) = await here.runs()
    assert task["NetworksAttachments"][0]["Network"]["ID"] == network
    (address,) = task["NetworksAttachments"][0]["Addresses"]
    assert address in {here.subnet.replace("0/24", f"{n}/29") for n in (2, 3)}
    assert (await here.update(replicas=2)).status == 200

    async def second() -> Document | None:
        return next((t for t in await here.tasks() if t["Slot"] == 2), None)

    waiting = await here.until(second)
    assert waiting is not None
    await here.create("other", replicas=1, container={"Image": PAUSE})
    await here.runs("other")  # time enough for whoever has an address
    waiting = await second()
    assert waiting is not None
    assert (waiting["Status"]["State"], waiting["Status"].get("Err")) == ("new", None)
    assert "NetworksAttachments" not in waiting
    (listed,) = await here.get("/services", filters={"name": [here.name("web")]}, status="true")
    assert listed["ServiceStatus"] == {"RunningTasks": 1, "DesiredTasks": 2, "CompletedTasks": 0}
    assert "UpdateStatus" not in listed
