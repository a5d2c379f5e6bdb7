"""Images of a real registry, looked up by tag, by digest, by platform, and with a password."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from controller.registry.addresses import Gate, Reach
from controller.registry.client import RegistryClient
from controller.registry.credentials import Credentials
from controller.registry.images import RegistryImages
from controller.registry.places import Repository
from reconcilers.images import ImageFacts, Meaning
from reconcilers.outcomes import TerminalError, TransientError
from specs.images import parse_image
from tests.labs import free_port
from tests.registry.engine import StandIn
from tests.registry.real import DOCKER_LIST, DOCKER_MANIFEST, INDEX, MANIFEST, USER, RealRegistry, running

pytestmark = pytest.mark.anyio

REACH = Reach(allowed=("127.0.0.1:*",))
CHECK = {"Test": ["CMD-SHELL", "wget -q localhost"], "Interval": 30_000_000_000, "Retries": 3}
CONFIG = {"Entrypoint": ["/bin/app"], "Cmd": ["serve", "--port=80"], "Healthcheck": CHECK, "Env": ["A=b"]}


async def look_up(reference: str, machine: str = "amd64") -> ImageFacts:
    return await RegistryImages(StandIn(machine=machine), REACH).look_up(reference, "org")


@pytest.mark.parametrize("form", [MANIFEST, DOCKER_MANIFEST], ids=["oci", "docker"])
async def test_a_tag_is_pinned_to_its_digest_and_the_config_says_how_it_starts(
    registry: RealRegistry, form: str
) -> None:
    found = registry.push("team/app", "1", CONFIG, form=form)
    facts = await look_up(f"{registry.host}/team/app:1")
    assert replace(facts, digests=()) == ImageFacts(
        f"{registry.host}/team/app@{found['digest']}", "amd64", ("/bin/app",), ("serve", "--port=80"), CHECK
    )
    assert (facts.digests[0], len(facts.digests)) == (found["digest"], 2), "of the manifest and of its config"


async def test_a_reference_without_a_tag_means_latest(registry: RealRegistry) -> None:
    found = registry.push("latest", "latest", {"Cmd": ["x"], "Shell": ["/bin/bash", "-c"]})
    facts = await look_up(f"{registry.host}/latest")
    assert facts.pinned == f"{registry.host}/latest@{found['digest']}"
    assert (facts.entrypoint, facts.cmd, facts.healthcheck, facts.shell) == ((), ("x",), None, ("/bin/bash", "-c"))


async def test_a_digest_is_what_runs_whatever_tag_stands_beside_it(registry: RealRegistry) -> None:
    found = registry.push("digest", "1", {"Cmd": ["old"]})
    registry.push("digest", "1", {"Cmd": ["new"]})
    facts = await look_up(f"{registry.host}/digest:1@{found['digest']}")
    assert (facts.pinned, facts.cmd) == (f"{registry.host}/digest@{found['digest']}", ("old",))


@pytest.mark.parametrize(
    ("manifest", "index"), [(MANIFEST, INDEX), (DOCKER_MANIFEST, DOCKER_LIST)], ids=["oci", "docker"]
)
@pytest.mark.parametrize(
    ("machine", "has", "runs"),
    [
        ("amd64", ("arm64", "amd64"), "amd64"),
        ("arm64", ("arm64", "amd64"), "arm64"),
        ("amd64", ("s390x", "arm64"), "arm64"),
        ("riscv64", ("arm64", "amd64"), "amd64"),
    ],
)
async def test_of_an_index_the_engine_s_platform_is_taken_else_the_first_that_we_know(
    registry: RealRegistry, machine: str, has: tuple[str, ...], runs: str, manifest: str, index: str
) -> None:
    name = f"multi-{machine}-{'-'.join(has)}"
    entries = [registry.push(name, "", {"Cmd": [a]}, architecture=a, form=manifest) for a in has]
    attestation = registry.push(name, "", {"Cmd": ["proof"]}, architecture="unknown", form=manifest)
    entries.insert(0, {**attestation, "platform": {"os": "unknown", "architecture": "unknown"}})
    made = registry.push_index(name, "1", entries, form=index)
    facts = await look_up(f"{registry.host}/{name}:1", machine)
    assert (facts.pinned, facts.architecture, facts.cmd) == (f"{registry.host}/{name}@{made['digest']}", runs, (runs,))
    ours = next(entry["digest"] for entry in entries if entry["platform"]["architecture"] == runs)
    assert facts.digests[:2] == (made["digest"], ours), "a scanner may name it by either, or by its config"
    assert len(facts.digests) == 3


@pytest.mark.parametrize("also", [(), ("arm64",)], ids=["one architecture", "several"])
async def test_of_several_images_for_one_architecture_what_is_looked_at_is_named_itself(
    registry: RealRegistry, also: tuple[str, ...]
) -> None:
    name = "-".join(["variants", *also])
    entries = [registry.push(name, "", {"Cmd": [word]}) for word in ("v3", "plain")]
    entries[0]["platform"] = {**entries[0]["platform"], "variant": "v3"}
    entries += [registry.push(name, "", {"Cmd": [a]}, architecture=a) for a in also]
    made = registry.push_index(name, "1", entries)
    images = RegistryImages(StandIn(), REACH)
    named = entries[1]
    for reference in (f"{name}:1", f"{name}@{made['digest']}", f"{name}:2@{made['digest']}"):
        facts = await images.look_up(f"{registry.host}/{reference}", "org")
        assert (facts.pinned, facts.cmd) == (f"{registry.host}/{name}@{named['digest']}", ("plain",))
        assert facts.digests[:2] == (made["digest"], entries[1]["digest"])
    assert await images.newest(f"{registry.host}/{name}:1", "org") == Meaning(
        f"{registry.host}/{name}@{made['digest']}"
    )


async def test_what_no_machine_here_runs_is_refused_with_what_there_is(registry: RealRegistry) -> None:
    entries = [registry.push("far", "", {"Cmd": [a]}, architecture=a) for a in ("s390x", "ppc64le")]
    registry.push_index("far", "1", entries)
    registry.push("far", "single", {"Cmd": ["x"]}, architecture="s390x")
    for tag, words in (
        ("1", "no image for linux/amd64 or linux/arm64, only for linux/ppc64le, linux/s390x"),
        ("single", "for linux/s390x"),
    ):
        with pytest.raises(TerminalError, match=words) as refused:
            await look_up(f"{registry.host}/far:{tag}")
        assert refused.value.reason == "ImageRefused"


@pytest.mark.parametrize("reference", ["app:missing", "nothing:1", f"app@sha256:{64 * '0'}"])
async def test_what_is_not_there_is_named(registry: RealRegistry, reference: str) -> None:
    registry.push("app", "1", CONFIG)
    with pytest.raises(TerminalError, match=reference.partition("@")[2] or reference) as missing:
        await look_up(f"{registry.host}/{reference}")
    assert missing.value.reason == "ImageNotFound"
    assert f"{registry.host} answered 404" in missing.value.message


async def test_a_moved_tag_is_seen_at_the_next_look_and_a_known_digest_is_not_asked_for_again(
    registry: RealRegistry,
) -> None:
    first = registry.push("moved", "1", {"Cmd": ["one"]})
    images = RegistryImages(StandIn(), REACH)
    assert (await images.look_up(f"{registry.host}/moved:1", "a")).cmd == ("one",)
    second = registry.push("moved", "1", {"Cmd": ["two"]})
    assert (await images.look_up(f"{registry.host}/moved:1", "a")).pinned.endswith(second["digest"])
    registry.remove("moved", first["digest"])
    assert (await images.look_up(f"{registry.host}/moved@{first['digest']}", "a")).cmd == ("one",)


async def test_a_registry_that_is_away_is_waited_for(tmp_path: pytest.TempPathFactory) -> None:
    with pytest.raises(TransientError, match="refuses the connection") as away:
        await look_up(f"127.0.0.1:{free_port()}/app:1")
    assert away.value.reason == "RegistryUnavailable"


async def test_with_the_right_password_an_image_is_given_and_else_it_is_denied(private: RealRegistry) -> None:
    found = private.push("team/app", "1", CONFIG)
    client = RegistryClient(Gate(REACH))
    repository = Repository.of(parse_image(f"{private.host}/team/app:1"))
    async with client.asking(repository, USER) as asking:
        assert await asking.digest_of("1") == found["digest"]
        assert (await asking.manifest("1")).digest == found["digest"]
    for other in (Credentials("ci", "wrong-4711"), Credentials("nobody", "of-the-tests-4711"), None):
        with pytest.raises(TerminalError, match="answered 401") as denied:
            async with client.asking(repository, other) as asking:
                await asking.manifest("1")
        assert denied.value.reason == "ImageDenied"
        assert "4711" not in repr((denied.value, other, client.__dict__))


async def test_who_asks_while_another_does_gets_the_same_answer(registry: RealRegistry) -> None:
    found = registry.push("shared", "1", CONFIG)
    engine = StandIn()
    images = RegistryImages(engine, REACH)
    answers: list[str] = []

    async def ask() -> None:
        answers.append((await images.look_up(f"{registry.host}/shared:1", "a")).pinned)

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(ask)
    assert answers == 100 * [f"{registry.host}/shared@{found['digest']}"]
    assert len(engine.asked) == 1


async def test_when_the_first_to_ask_is_cut_off_the_next_one_asks(registry: RealRegistry) -> None:
    registry.push("cut", "1", CONFIG)
    images = RegistryImages(StandIn(), REACH)
    reference = f"{registry.host}/cut:1"
    found: list[ImageFacts] = []

    async def ask() -> None:
        found.append(await images.look_up(reference, "a"))

    async with anyio.create_task_group() as tasks, anyio.create_task_group() as first:
        first.start_soon(ask)
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(ask)
        await anyio.lowlevel.checkpoint()
        first.cancel_scope.cancel()
    assert [facts.cmd for facts in found] == [("serve", "--port=80")]


async def test_a_registry_on_loopback_is_asked_with_its_own_tags_after_it_came_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder, port = tmp_path_factory.mktemp("back"), free_port()
    images = RegistryImages(StandIn(), REACH)
    with running(folder, port=port) as up:
        up.push("app", "1", CONFIG)
    with pytest.raises(TransientError):
        await images.look_up(f"127.0.0.1:{port}/app:1", "a")
    with running(folder, port=port):
        assert (await images.look_up(f"127.0.0.1:{port}/app:1", "a")).cmd == ("serve", "--port=80")


async def test_a_name_of_this_host_is_asked_as_its_address_is(registry: RealRegistry) -> None:
    registry.push("named", "1", CONFIG)
    host = registry.host.replace("127.0.0.1", "localhost")
    images = RegistryImages(StandIn(), Reach(allowed=("localhost:*",)))
    assert (await images.look_up(f"{host}/named:1", "a")).cmd == ("serve", "--port=80")
