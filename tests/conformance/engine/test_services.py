"""Services: what the engine keeps of a specification, versions, names, and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.conformance.engine.harness import PAUSE, SECOND, WEB, EngineHarness, changed

pytestmark = pytest.mark.anyio

FULL: dict[str, Any] = {
    "ContainerSpec": {
        "Image": WEB,
        "Labels": {"a": "b", "empty": ""},
        "Command": [],
        "Args": ["serve"],
        "Env": ["B=2", "A=1"],
        "Dir": "",
        "User": "1000:1000",
        "Init": True,
        "StopGracePeriod": SECOND,
        "ReadOnly": True,
        "CapabilityDrop": ["ALL"],
        "Privileges": {
            "NoNewPrivileges": True,
            "Seccomp": {"Mode": "default"},
            "AppArmor": {"Mode": "default"},
            "Unknown": 1,
        },
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}, {"Name": "nofile", "Soft": 8192, "Hard": 8192}],
        "Mounts": [
            {"Type": "tmpfs", "Target": "/tmp", "TmpfsOptions": {"SizeBytes": 65536, "Mode": 0o1777}},
            {"Type": "volume", "Source": "data", "Target": "/data", "ReadOnly": False},
        ],
        "HealthCheck": {
            "Test": ["CMD", "/bin/web", "health"],
            "Interval": SECOND,
            "Timeout": 0,
            "StartPeriod": 0,
            "Retries": 2,
        },
        "Hosts": [],
        "Sysctls": {"net.ipv4.tcp_keepalive_time": "600"},
        "NoSuchField": {"x": 1},
    },
    "Resources": {
        "Limits": {"NanoCPUs": 100_000_000, "MemoryBytes": 32 << 20, "Pids": 50},
        "Reservations": {"NanoCPUs": 1_000_000, "MemoryBytes": 8 << 20},
    },
    "RestartPolicy": {"Condition": "any", "Delay": 2 * SECOND},
    "Placement": {"Constraints": ["node.role == manager"], "MaxReplicas": 0},
    "LogDriver": {"Name": "json-file", "Options": {"max-size": "10m"}},
}
STORED: dict[str, Any] = {
    "ContainerSpec": {
        "Image": WEB,
        "Labels": {"a": "b", "empty": ""},
        "Args": ["serve"],
        "Env": ["B=2", "A=1"],
        "User": "1000:1000",
        "Init": True,
        "StopGracePeriod": SECOND,
        "ReadOnly": True,
        "CapabilityDrop": ["ALL"],
        "Privileges": {
            "CredentialSpec": None,
            "SELinuxContext": None,
            "NoNewPrivileges": True,
            "Seccomp": {"Mode": "default"},
            "AppArmor": {"Mode": "default"},
        },
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}, {"Name": "nofile", "Soft": 8192, "Hard": 8192}],
        "Mounts": [
            {"Type": "tmpfs", "Target": "/tmp", "TmpfsOptions": {"SizeBytes": 65536, "Mode": 0o1777}},
            {"Type": "volume", "Source": "data", "Target": "/data"},
        ],
        "Healthcheck": {"Test": ["CMD", "/bin/web", "health"], "Interval": SECOND, "Retries": 2},
        "Isolation": "default",
        "Sysctls": {"net.ipv4.tcp_keepalive_time": "600"},
    },
    "Resources": FULL["Resources"],
    "RestartPolicy": {"Condition": "any", "Delay": 2 * SECOND, "MaxAttempts": 0},
    "Placement": {"Constraints": ["node.role == manager"]},
    "LogDriver": {"Name": "json-file", "Options": {"max-size": "10m"}},
    "ForceUpdate": 0,
    "Runtime": "container",
}


async def test_known_fields_are_kept_without_empty_ones_and_with_defaults(here: EngineHarness) -> None:
    network = await here.network()
    attached = {"Networks": [{"Target": here.name("net"), "Aliases": ["web.internal"]}]}
    await here.create(TaskTemplate={**FULL, **attached}, RollbackConfig={"Order": "start-first"})
    stored = await here.service()
    assert stored["Spec"] == {
        "Name": here.name("web"),
        "Labels": {"conform": here.name("")},
        "TaskTemplate": {**STORED, "Networks": [{"Target": network, "Aliases": ["web.internal"]}]},
        "Mode": {"Replicated": {"Replicas": 0}},
        "UpdateConfig": {
            "Parallelism": 1,
            "FailureAction": "rollback",
            "Monitor": SECOND // 4,
            "MaxFailureRatio": 0,
            "Order": "start-first",
        },
        "RollbackConfig": {"Parallelism": 0, "FailureAction": "pause", "MaxFailureRatio": 0, "Order": "start-first"},
        "EndpointSpec": {"Mode": "dnsrr"},
    }
    assert "PreviousSpec" not in stored
    assert "UpdateStatus" not in stored


async def test_little_that_is_written_gets_little_that_is_stored(here: EngineHarness) -> None:
    await here.post("/services/create", {"Name": here.name("web"), "TaskTemplate": {"ContainerSpec": {"Image": PAUSE}}})
    stored = await here.service()
    assert stored["Spec"] == {
        "Name": here.name("web"),
        "Labels": {},
        "TaskTemplate": {
            "ContainerSpec": {"Image": PAUSE, "Isolation": "default"},
            "ForceUpdate": 0,
            "Runtime": "container",
        },
        "Mode": {"Replicated": {"Replicas": 1}},
    }
    assert stored["Endpoint"] == {"Spec": {}}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ({"container": {"Privileges": {}}}, {"CredentialSpec": None, "SELinuxContext": None, "NoNewPrivileges": False}),
        (
            {"container": {"Privileges": {"Seccomp": {"Mode": "nonesuch"}}}},
            {
                "CredentialSpec": None,
                "SELinuxContext": None,
                "NoNewPrivileges": False,
                "Seccomp": {"Mode": "default"},
            },
        ),
    ],
    ids=["empty", "unknown mode of seccomp"],
)
async def test_privileges_are_filled_in(here: EngineHarness, written: dict[str, Any], kept: dict[str, Any]) -> None:
    await here.create(**written)
    assert (await here.service())["Spec"]["TaskTemplate"]["ContainerSpec"]["Privileges"] == kept


async def test_parts_that_are_empty_objects_stay(here: EngineHarness) -> None:
    await here.create(
        template={"Resources": {"Limits": {}}, "Placement": {}, "RestartPolicy": {}},
        container={"DNSConfig": {}, "StopGracePeriod": 0, "Healthcheck": {}},
        UpdateConfig={},
        EndpointSpec={},
    )
    spec = (await here.service())["Spec"]
    template = spec["TaskTemplate"]
    container = template["ContainerSpec"]
    assert template["Resources"] == {"Limits": {}}
    assert template["Placement"] == {}
    assert template["RestartPolicy"] == {"Condition": "any", "MaxAttempts": 0}
    assert container["DNSConfig"] == {}
    assert container["StopGracePeriod"] == 0
    assert container["Healthcheck"] == {}
    assert spec["UpdateConfig"] == {
        "Parallelism": 0,
        "FailureAction": "pause",
        "MaxFailureRatio": 0,
        "Order": "stop-first",
    }
    assert spec["EndpointSpec"] == {"Mode": "vip"}


async def test_what_is_read_can_be_written_back_unchanged(here: EngineHarness) -> None:
    await here.create(TaskTemplate=FULL)
    before = await here.service()
    assert (await here.update()).status == 200
    after = await here.service()
    assert after["Spec"] == before["Spec"]


# -- versions --------------------------------------------------------------------------------------------------------


async def test_an_update_that_changes_nothing_is_an_update(here: EngineHarness) -> None:
    await here.create(labels={"n": "1"})
    await here.update(labels={"n": "2"})
    before = await here.service()
    assert before["PreviousSpec"]["Labels"]["n"] == "1"
    answer = await here.update()
    after = await here.service()
    assert (answer.status, answer.body) == (200, {"Warnings": None})
    assert after["Version"]["Index"] > before["Version"]["Index"]
    assert after["PreviousSpec"] == before["Spec"], "what could be rolled back to is gone"
    assert after["ID"] == before["ID"]
    assert after["CreatedAt"] == before["CreatedAt"]
    assert after["UpdatedAt"] > before["UpdatedAt"]


async def test_one_index_counts_the_changes_of_all_objects(here: EngineHarness) -> None:
    await here.create("a")
    await here.create("b")
    a, b = await here.service("a"), await here.service("b")
    assert b["Version"]["Index"] > a["Version"]["Index"]
    await here.network()
    await here.update("a")
    assert (await here.service("a"))["Version"]["Index"] > b["Version"]["Index"] + 2
    assert (await here.service("b"))["Version"] == b["Version"]


async def test_an_older_version_is_out_of_sequence_and_nothing_is_written(here: EngineHarness) -> None:
    await here.create()
    old = await here.service()
    await here.update(labels={"n": "1"})
    answer = await here.ask("POST", f"/services/{old['ID']}/update", old["Spec"], version=old["Version"]["Index"])
    assert (answer.status, answer.error) == (500, "OutOfSequence")
    assert answer.text == "rpc error: code = Unknown desc = update out of sequence"
    assert (await here.service())["Spec"]["Labels"]["n"] == "1"


@pytest.mark.parametrize("version", ["", "x"])
async def test_an_update_needs_a_version(here: EngineHarness, version: str) -> None:
    await here.create()
    stored = await here.service()
    answer = await here.ask("POST", f"/services/{stored['ID']}/update", stored["Spec"], version=version)
    assert (answer.status, answer.error) == (400, "Refused")
    assert answer.text.startswith(f"invalid service version '{version}': strconv.ParseUint")


async def test_a_service_with_an_address_of_its_own_is_changed_again_by_the_manager(here: EngineHarness) -> None:
    network = await here.network(IPRange=here.subnet.replace("0/24", "0/25"))
    await here.create(EndpointSpec={"Mode": "vip"}, template={"Networks": [{"Target": network}]})

    async def addressed() -> dict[str, Any] | None:
        stored = await here.service()
        return stored if stored["Endpoint"].get("VirtualIPs") else None

    stored = await here.until(addressed, what="the address")
    assert stored is not None
    (address,) = stored["Endpoint"]["VirtualIPs"]
    assert (address["NetworkID"], address["Addr"]) == (network, here.subnet.replace("0/24", "2/24"))
    assert stored["Endpoint"]["Spec"] == {"Mode": "vip"}
    assert "PreviousSpec" not in stored
    answer = await here.update(EndpointSpec={"Mode": "dnsrr"})
    assert answer.status == 200

    async def unaddressed() -> bool:
        return bool((await here.service())["Endpoint"] == {"Spec": {"Mode": "dnsrr"}})

    await here.until(unaddressed, what="the end of the address")


# -- names and ids ---------------------------------------------------------------------------------------------------


async def test_a_name_is_given_once(here: EngineHarness) -> None:
    first = await here.create()
    answer = await here.ask("POST", "/services/create", here.spec())
    assert (answer.status, answer.error) == (409, "NameTaken")
    assert answer.text == (
        "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service "
        f"{here.name('web')} already exists"
    )
    assert (await here.ask("DELETE", f"/services/{first}")).status == 200
    assert await here.create() != first


async def test_a_created_service_has_an_id_of_the_swarms_form(here: EngineHarness) -> None:
    answer = await here.ask("POST", "/services/create", here.spec())
    assert answer.status == 201
    assert answer.body["Warnings"] is None
    assert re.fullmatch(r"[0-9a-z]{25}", answer.body["ID"])
    by_name = await here.service()
    assert by_name["ID"] == answer.body["ID"]
    assert await here.get(f"/services/{by_name['ID']}") == by_name
    assert await here.get(f"/services/{by_name['ID'][:12]}") == by_name, "the beginning of an id is enough"


async def test_neither_name_nor_mode_can_be_changed(here: EngineHarness) -> None:
    await here.create()
    renamed = await here.update(Name=here.name("other"))
    assert (renamed.status, renamed.error) == (501, "Refused")
    assert renamed.text.endswith("renaming services is not supported")
    turned = await here.update(Mode={"Global": {}})
    assert (turned.status, turned.error) == (501, "Refused")
    assert turned.text.endswith("service mode change is not allowed")


async def test_what_does_not_exist_is_not_found(here: EngineHarness) -> None:
    spec = here.spec()
    for answer in (
        await here.ask("GET", "/services/nonesuch"),
        await here.ask("POST", "/services/nonesuch/update", spec, version=1),
        await here.ask("DELETE", "/services/nonesuch"),
    ):
        assert (answer.status, answer.error, answer.text) == (404, "NotFound", "service nonesuch not found")


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"Name": "a$"}, 400, "name must be valid as a DNS name component"),
        ({"Name": "a" * 64}, 400, "name must be 63 characters or fewer"),
        ({"container": {"Image": ""}}, 400, "ContainerSpec: image reference must be provided"),
        (
            {"template": {"Resources": {"Limits": {"NanoCPUs": 1}}}},
            400,
            "invalid cpu value 1e-09: Must be at least 0.001",
        ),
        (
            {"template": {"Resources": {"Reservations": {"MemoryBytes": 1}}}},
            400,
            "invalid memory value 1: Must be at least 4MiB",
        ),
        (
            {"EndpointSpec": {"Mode": "dnsrr", "Ports": [{"TargetPort": 80, "PublishedPort": 8098}]}},
            400,
            "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
        ),
    ],
    ids=["name", "long name", "no image", "little cpu", "little memory", "ingress and round robin"],
)
async def test_a_wrong_document_is_refused_in_the_managers_words(
    here: EngineHarness, changes: dict[str, Any], status: int, text: str
) -> None:
    answer = await here.ask("POST", "/services/create", here.spec(**changes))
    assert (answer.status, answer.error) == (status, "Refused")
    assert answer.text == f"rpc error: code = InvalidArgument desc = {text}"


async def test_a_network_that_does_not_exist_is_said_with_500(here: EngineHarness) -> None:
    answer = await here.ask("POST", "/services/create", here.spec(template={"Networks": [{"Target": "nonesuch"}]}))
    assert (answer.status, answer.error, answer.text) == (500, "NotFound", "network nonesuch not found")


async def test_a_port_of_the_ingress_is_given_once(here: EngineHarness) -> None:
    ports = {"Ports": [{"TargetPort": 80, "PublishedPort": 8099}]}
    first = await here.create("a", EndpointSpec=ports)
    answer = await here.ask("POST", "/services/create", here.spec("b", EndpointSpec=ports))
    assert (answer.status, answer.error) == (400, "InUse")
    assert answer.text.endswith(
        f"port '8099' is already in use by service '{here.name('a')}' ({first}) as an ingress port"
    )


# -- lists -------------------------------------------------------------------------------------------------------------


async def test_lists_are_filtered_by_label_id_and_beginning_of_the_name(here: EngineHarness) -> None:
    for text in ("fa", "fab", "bfa"):
        await here.create(text, labels={"k": text, "e": ""})
    ids = {text: (await here.service(text))["ID"] for text in ("fa", "fab")}

    async def found(**filters: list[str]) -> list[str]:
        mine = {"label": ["conform=" + here.name(""), *filters.pop("label", [])]}
        listed = await here.get("/services", filters={**mine, **filters})
        return sorted(s["Spec"]["Name"].removeprefix(here.name("")) for s in listed)

    assert await found() == ["bfa", "fa", "fab"]
    assert await found(name=[here.name("fa")]) == ["fa", "fab"]
    assert await found(name=["fa"]) == []
    assert await found(name=[here.name("fab"), here.name("b")]) == ["bfa", "fab"]
    assert await found(label=["k"]) == ["bfa", "fa", "fab"]
    assert await found(label=["k=fa"]) == ["fa"]
    assert await found(label=["k=f"]) == []
    assert await found(label=["k=fa", "e="]) == ["fa"]
    assert await found(id=[ids["fa"]]) == ["fa"]
    assert await found(id=[ids["fa"], ids["fab"]]) == ["fa", "fab"]
    assert await found(mode=["global"]) == []
    answer = await here.ask("GET", "/services", filters={"nonesuch": ["x"]})
    assert (answer.status, answer.text) == (400, "invalid filter 'nonesuch'")


async def test_a_list_is_the_single_documents_in_the_order_of_their_ids(here: EngineHarness) -> None:
    for text in "abcde":
        await here.create(text)
    listed = await here.get("/services", filters={"label": ["conform=" + here.name("")]})
    assert listed == [await here.get(f"/services/{s['ID']}") for s in listed]
    assert [s["ID"] for s in listed] == sorted(s["ID"] for s in listed)


async def test_an_update_with_the_same_specification_in_another_order_is_the_same(here: EngineHarness) -> None:
    await here.create(labels={"a": "1", "b": "2"})
    stored = await here.service()
    labels = dict(reversed(stored["Spec"]["Labels"].items()))
    await here.update(Labels=labels)
    assert (await here.service())["Spec"] == changed(stored["Spec"])
