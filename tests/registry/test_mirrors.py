"""Mirrors: asked before their registry, about what everybody may have, and believed no more than that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from controller.registry.addresses import Reach
from controller.registry.images import RegistryImages
from controller.registry.mirror_settings import Mirror, read_mirrors
from controller.registry.mirrors import Mirrors
from controller.registry.places import Origin, Repository
from reconcilers.images import Meaning
from reconcilers.logins import Login
from reconcilers.outcomes import ReconcileError, TerminalError, TransientError
from specs.problems import RefusedError
from tests.registry.engine import StandIn
from tests.registry.internet import IMAGE, MIRROR, REGISTRY, Internet, Request, Sent, digest, reply
from tests.registry.real import RealRegistry, running

pytestmark = pytest.mark.anyio

ENTRY = f"{REGISTRY}=https://{MIRROR}"
NAME = f"{REGISTRY}/team/app"
ADA = Login(REGISTRY, "ada", "s3cret-4711")


def asked(net: Internet) -> list[str]:
    """Hosts, in the order in which they were asked first."""
    return list(dict.fromkeys(request.host for request in net.server.asked))


def at_mirror(net: Internet, says: Callable[[Request], Sent | None]) -> None:
    """What the mirror says, where that is not what the registry does."""
    net.server.says = lambda request: says(request) if request.host == MIRROR else None


async def test_a_mirror_of_a_real_registry_answers_in_its_place_also_when_that_is_away(tmp_path: Path) -> None:
    for folder in ("origin", "mirror"):
        (tmp_path / folder).mkdir()
    with running(tmp_path / "origin") as origin:
        found = origin.push("team/app", "1", {"Cmd": ["x"], "StopSignal": "SIGQUIT"})
        with running(tmp_path / "mirror", mirrors=f"http://{origin.host}") as mirror:
            images = mirrored(origin, mirror)
            facts = await images.look_up(f"{origin.host}/team/app:1", "a")
            assert (facts.pinned, facts.cmd) == (f"{origin.host}/team/app@{found['digest']}", ("x",))
            assert facts.stop_signal == "SIGQUIT"
            with anyio.fail_after(10):
                while not keeps(tmp_path / "mirror", facts.digests):
                    await anyio.lowlevel.checkpoint()
            origin.process.kill()
            origin.process.wait()
            again = mirrored(origin, mirror)
            by_digest = await again.look_up(f"{origin.host}/team/app@{found['digest']}", "a")
            assert by_digest == facts
            assert await again.newest(f"{origin.host}/team/app:1", "a") == Meaning(facts.pinned, second_hand=True)
            with pytest.raises(TransientError):
                await again.newest(f"{origin.host}/team/app:1", "a", itself=True)


async def test_a_real_mirror_that_is_behind_is_told_from_its_registry(registry: RealRegistry, tmp_path: Path) -> None:
    first = registry.push("behind", "1", {"Cmd": ["one"]})
    with running(tmp_path) as copy:
        copy.push("behind", "1", {"Cmd": ["one"]})
        second = registry.push("behind", "1", {"Cmd": ["two"]})
        images, reference = mirrored(registry, copy), f"{registry.host}/behind:1"
        pinned = [f"{registry.host}/behind@{found['digest']}" for found in (first, second)]
        assert await images.newest(reference, "a", within_seconds=60) == Meaning(pinned[0], second_hand=True)
        for _ in range(2):
            assert await images.newest(reference, "a", within_seconds=60, itself=True) == Meaning(pinned[1])


def keeps(mirror: Path, digests: Sequence[str]) -> bool:
    """Whether it has written down what it gave, which it does afterwards."""
    linked = {path.parent.name for path in mirror.rglob("link")}
    stored = {path.parent.name for path in mirror.rglob("data") if path.is_file() and path.stat().st_size}
    return {digest.partition(":")[2] for digest in digests} <= linked & stored


def mirrored(origin: RealRegistry, mirror: RealRegistry) -> RegistryImages:
    reach = Reach(allowed=("127.0.0.1:*",))
    return RegistryImages(
        StandIn(), reach, mirrors=Mirrors(reach, read_mirrors([f"{origin.host}=http://{mirror.host}"]))
    )


async def test_what_a_real_mirror_does_not_have_its_registry_is_asked_for(
    registry: RealRegistry, tmp_path: Path
) -> None:
    with running(tmp_path) as empty:
        found = registry.push("mirrored", "1", {"Cmd": ["x"]})
        reference = f"{registry.host}/mirrored:1"
        images = mirrored(registry, empty)
        assert (await images.look_up(reference, "a")).pinned == f"{registry.host}/mirrored@{found['digest']}"
        assert await images.newest(reference, "a") == Meaning(f"{registry.host}/mirrored@{found['digest']}")


async def test_a_mirror_is_asked_alone_and_may_be_on_a_private_host(internet: Internet) -> None:
    internet.names[MIRROR] = ["10.1.2.3"]
    images = internet.images(mirrors=[ENTRY])
    assert (await images.look_up(IMAGE, "a")).pinned == f"{NAME}@{digest(internet.server.manifest_body)}"
    assert asked(internet) == [MIRROR]
    assert ("10.1.2.3", 443) in internet.dialled


async def test_that_it_may_be_asked_is_so_for_it_alone(internet: Internet) -> None:
    internet.names[MIRROR] = ["10.1.2.3"]
    with pytest.raises(TerminalError, match="is not a host that may be asked"):
        await internet.images(mirrors=[ENTRY]).look_up(f"{MIRROR}/team/app:1", "a")
    assert not internet.dialled


@pytest.mark.parametrize(
    "says",
    [
        lambda _: reply(404),
        lambda _: reply(401),
        lambda _: reply(429, retry_after="3600"),
        lambda _: reply(503),
        lambda _: reply(200, b"a page", content_type="text/html"),
        lambda _: b"nothing of HTTP\r\n\r\n",
        lambda request: reply(404) if "/blobs/" in request.path else None,
        lambda _: reply(307, location="http://10.0.0.1/elsewhere"),
    ],
    ids=["absent", "denied", "counts", "away", "a page", "not HTTP", "no blob", "leads to a private host"],
)
async def test_whatever_it_fails_with_the_registry_is_asked(
    internet: Internet, says: Callable[[Request], Sent | None]
) -> None:
    at_mirror(internet, says)
    assert (await internet.images(mirrors=[ENTRY]).look_up(IMAGE, "a")).cmd == ("x",)
    assert asked(internet) == [MIRROR, REGISTRY]


async def test_one_that_is_away_is_passed_over_for_a_while_and_the_next_one_asked(internet: Internet) -> None:
    at_mirror(internet, lambda _: reply(503))
    images = internet.images(mirrors=[ENTRY, f"{REGISTRY}=https://blobs.example.com"])
    for tag in "11":
        await images.newest(f"{NAME}:{tag}", "a")
    assert [request.host for request in internet.server.asked] == [MIRROR, "blobs.example.com", "blobs.example.com"]


async def test_no_other_content_is_taken_for_a_digest(internet: Internet) -> None:
    pinned = f"{NAME}@{digest(internet.server.manifest_body)}"
    other = b'{"schemaVersion": 2, "config": {}}'
    at_mirror(internet, lambda _: reply(200, other, docker_content_digest=pinned.partition("@")[2]))
    facts = await internet.images(mirrors=[ENTRY]).look_up(pinned, "a")
    assert (facts.pinned, facts.cmd) == (pinned, ("x",))
    assert asked(internet) == [MIRROR, REGISTRY]


async def test_for_a_user_the_registry_itself_is_asked_and_nobody_else_hears_of_him(internet: Internet) -> None:
    images = internet.images(mirrors=[ENTRY])
    await images.look_up(IMAGE, "a", ADA)
    await images.newest(IMAGE, "a", ADA)
    assert asked(internet) == [REGISTRY]
    await images.look_up(IMAGE, "b")
    assert asked(internet) == [REGISTRY, MIRROR]
    of_mirror = [request for request in internet.server.asked if request.host == MIRROR]
    assert all("authorization" not in request.headers for request in of_mirror)


async def test_who_has_signed_an_image_is_asked_of_its_registry(internet: Internet) -> None:
    images = internet.images(mirrors=[ENTRY])
    with pytest.raises(ReconcileError):
        await images.signed_by(f"{NAME}@{digest(internet.server.manifest_body)}", ["no key"], "a")
    assert MIRROR not in asked(internet)


async def test_it_can_have_repositories_below_a_path(internet: Internet) -> None:
    await internet.images(mirrors=[f"{ENTRY}/hub"]).newest(IMAGE, "a")
    assert internet.server.asked[0].path == "/v2/hub/team/app/manifests/1"


def test_mirrors_are_read_by_registry_in_their_order() -> None:
    found = read_mirrors(
        ["docker.io=https://a.example.com", "index.docker.io = http://10.0.0.5:5000/hub/", "ghcr.io=https://b"]
    )
    assert found == {
        "docker.io": (
            Mirror(Origin("https", "a.example.com", 443)),
            Mirror(Origin("http", "10.0.0.5", 5000), "hub"),
        ),
        "ghcr.io": (Mirror(Origin("https", "b", 443)),),
    }
    assert found["docker.io"][1].repository(Repository("docker.io", "library/nginx")) == Repository(
        "10.0.0.5:5000", "hub/library/nginx"
    )


@pytest.mark.parametrize(
    "entry",
    [
        "https://a.example.com",
        "docker.io",
        "docker.io=",
        "docker.io=a.example.com",
        "docker.io=ftp://a.example.com",
        "docker.io=https://ada:s3cret@a.example.com",
        "docker.io=https://a.example.com/?token=s3cret",
        "docker.io=https://s3cret.example.com:99999",
        "https://s3cret",
        "docker.io=https://a.example.com/UPPER",
        "docker.io=https://a.example.com:99999",
        "library=https://a.example.com",
    ],
)
def test_what_is_no_registry_and_its_mirror_is_refused_without_a_password(entry: str) -> None:
    with pytest.raises(RefusedError, match="names no registry and its mirror") as error:
        read_mirrors([entry])
    assert "s3cret" not in str(error.value)
