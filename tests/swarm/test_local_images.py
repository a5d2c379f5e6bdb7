"""Images of a real engine: built or loaded, pulled, by digest; and that they say what their registry says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from controller.registry.addresses import Reach
from controller.registry.errors import RegistryUnavailable
from controller.registry.images import RegistryImages
from controller.swarm.client import EngineClient
from controller.swarm.local_images import LocalImages
from deploy.engine import IMAGE_PREFIX, Lab
from deploy.engine.layer import Layer, write_image
from reconcilers.images import ImageFacts
from reconcilers.outcomes import TerminalError
from tests.registry.engine import StandIn
from tests.registry.real import RealRegistry, running

CONFIG: dict[str, Any] = {
    "Entrypoint": ["/bin/app", "a b"],
    "Cmd": ["serve"],
    "Shell": ["/bin/ash", "-c"],
    "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 30_000_000_000, "Retries": 3},
    "Env": ["A=b"],
}
REACH = Reach(allowed=("127.0.0.1:*",))


@dataclass(frozen=True, slots=True)
class Place:
    """The engine, and a registry beside it."""

    lab: Lab
    registry: RealRegistry
    machine: str

    def name(self, path: str) -> str:
        return f"{self.registry.host}/{path}"

    def look_up(self, reference: str, *, engine: bool = True) -> ImageFacts:
        """With what the engine has, or from the registry alone."""

        async def ask() -> ImageFacts:
            client = EngineClient.at(self.lab.docker_host)
            try:
                found = LocalImages(client) if engine else StandIn(machine=self.machine)
                return await RegistryImages(found, REACH).look_up(reference, "a")
            finally:
                client.close()

        return anyio.run(ask)

    def load(self, reference: str, config: dict[str, Any], folder: Path) -> None:
        """Give the engine an image, as ``docker build`` and ``docker load`` do."""
        layer = Layer()
        layer.file("/hello", b"hi")
        write_image(layer, config, [reference], self.machine, folder / "image.tar")
        with (folder / "image.tar").open("rb") as content:
            self.lab.api().post("/images/load", content, quiet="true")

    def pull(self, path: str, tag: str) -> None:
        said = self.lab.api().post("/images/create", fromImage=self.name(path), tag=tag)
        assert not [line for line in said if "error" in line], said


@pytest.fixture
def place(lab: Lab, tmp_path: Path) -> Iterator[Place]:
    """In the network of the node, as a registry on its loopback is nobody else's."""
    sandbox = lab.nodes[0].daemon.sandbox
    with lab.nodes[0].network(), running(tmp_path, within=sandbox.network_command()) as registry:
        yield Place(lab, registry, lab.api().get("/version")["Arch"])


def test_what_was_loaded_needs_no_registry_and_is_itself(place: Place, tmp_path: Path) -> None:
    reference = place.name("loaded:1")
    place.load(reference, CONFIG, tmp_path)
    place.registry.process.kill()
    facts = place.look_up(reference)
    named = (place.lab.api().get(f"/images/{reference}/json")["Id"],)  # as a scanner calls it
    assert facts == ImageFacts(
        reference,
        place.machine,
        ("/bin/app", "a b"),
        ("serve",),
        CONFIG["Healthcheck"],
        ("/bin/ash", "-c"),
        digests=named,
    )


@pytest.mark.parametrize("config", [CONFIG, {"Cmd": ["x"]}, {"Entrypoint": ["/x"]}], ids=["all", "cmd", "entrypoint"])
def test_an_engine_says_of_an_image_what_its_registry_says(place: Place, config: dict[str, Any]) -> None:
    path = f"same{len(json.dumps(config))}"
    made = place.registry.push(path, "1", config, architecture=place.machine)
    told = place.look_up(place.name(f"{path}:1"), engine=False)
    place.pull(path, "1")
    assert place.look_up(place.name(f"{path}:1")) == told
    place.registry.process.kill()
    with pytest.raises(RegistryUnavailable):  # who may pull it, nobody can say
        place.look_up(place.name(f"{path}@{made['digest']}"))


def test_of_an_index_its_digest_is_what_runs(place: Place) -> None:
    entries = [place.registry.push("multi", "", {"Cmd": [a]}, architecture=a) for a in ("arm64", "amd64")]
    made = place.registry.push_index("multi", "1", entries)
    place.pull("multi", "1")
    told = place.look_up(place.name("multi:1"))
    assert (told.pinned, told.cmd) == (place.name(f"multi@{made['digest']}"), (place.machine,))
    place.registry.process.kill()
    with pytest.raises(RegistryUnavailable):
        place.look_up(told.pinned)


@pytest.mark.parametrize("first", [{"variant": "v1"}, {"architecture": "x86_64"}, {"os": "Linux"}])
def test_of_entries_for_one_platform_the_engine_runs_the_one_that_is_looked_at(
    place: Place, first: dict[str, str]
) -> None:
    path = "-".join(["twice", *first.values()]).lower()
    entries = [place.registry.push(path, "", {"Cmd": [word]}, architecture="amd64") for word in ("one", "other")]
    entries[0]["platform"] = {**entries[0]["platform"], **first}
    place.registry.push_index(path, "1", entries)
    told = place.look_up(place.name(f"{path}:1"), engine=False)
    place.pull(path, "1")
    found = place.lab.api().get(f"/images/{place.name(path)}:1/json")
    assert tuple(found["Config"]["Cmd"]) == told.cmd


@pytest.mark.parametrize("order", [1, -1], ids=["v3 first", "plain first"])
def test_of_variants_of_an_architecture_the_engine_runs_the_one_that_is_looked_at(place: Place, order: int) -> None:
    path = f"variants{order}"
    entries = [place.registry.push(path, "", {"Cmd": [word]}, architecture=place.machine) for word in ("v9", "plain")]
    entries[0]["platform"] = {**entries[0]["platform"], "variant": "v3" if place.machine == "amd64" else "v9"}
    place.registry.push_index(path, "1", entries[::order])
    told = place.look_up(place.name(f"{path}:1"), engine=False)
    named = f"{place.name(path)}:1@{told.pinned.partition('@')[2]}"  # as its tasks do
    said = place.lab.api().post("/images/create", fromImage=named)
    assert not [line for line in said if "error" in line], said
    found = place.lab.api().get(f"/images/{named}/json")
    assert tuple(found["Config"]["Cmd"]) == told.cmd == ("plain",)


def test_what_was_pulled_is_asked_for_again_and_is_nobody_s_when_its_registry_is_gone(place: Place) -> None:
    place.registry.push("moved", "1", {"Cmd": ["old"]}, architecture=place.machine)
    place.pull("moved", "1")
    new = place.registry.push("moved", "1", {"Cmd": ["new"]}, architecture=place.machine)
    assert place.look_up(place.name("moved:1")).pinned == place.name(f"moved@{new['digest']}")
    place.registry.remove("moved", new["digest"])
    with pytest.raises(TerminalError):
        place.look_up(place.name("moved:1"))
    place.registry.process.kill()
    with pytest.raises(RegistryUnavailable):
        place.look_up(place.name("moved:1"))


def test_an_engine_takes_a_name_for_the_beginning_of_an_id_and_that_is_no_image(lab: Lab) -> None:
    found = lab.api().get(f"/images/{IMAGE_PREFIX}/pause:1/json")
    beginning = found["Id"].removeprefix("sha256:")[:12]
    assert lab.api().get(f"/images/{beginning}/json")["Id"] == found["Id"]
