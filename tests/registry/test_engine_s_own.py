"""Images that the manager's engine has: when no registry is asked, when it decides, and when it is waited for."""

from __future__ import annotations

import socket

import pytest

from controller.registry.addresses import Reach
from controller.registry.images import RegistryImages
from reconcilers.outcomes import TerminalError, TransientError
from tests.registry.engine import StandIn, inspected
from tests.registry.internet import IMAGE, REGISTRY, Internet, digest, reply

pytestmark = pytest.mark.anyio

NAME = IMAGE.removesuffix(":1")
OWN = f"sha256:{64 * 'a'}"
LOCAL, PULLED = inspected(IMAGE), inspected(IMAGE, digests=(f"other@sha256:{64 * 'b'}", f"{NAME}@{OWN}"))


async def test_what_was_built_on_the_engine_is_itself_and_no_registry_is_asked(internet: Internet) -> None:
    facts = await internet.images(engine=StandIn({IMAGE: LOCAL})).look_up(IMAGE, "a")
    assert (facts.pinned, facts.cmd, facts.architecture) == (IMAGE, ("local",), "amd64")
    assert facts.digests == (LOCAL["Id"],), "as a scanner calls it, which asks the engine"
    assert not internet.dialled


async def test_what_was_pulled_under_another_name_alone_is_local_under_this_one(internet: Internet) -> None:
    image = inspected(IMAGE, f"{REGISTRY}/other:1", digests=(f"{REGISTRY}/other@{OWN}",))
    assert (await internet.images(engine=StandIn({IMAGE: image})).look_up(IMAGE, "a")).pinned == IMAGE


async def test_of_what_came_from_a_registry_that_decides(internet: Internet) -> None:
    facts = await internet.images(engine=StandIn({IMAGE: PULLED})).look_up(IMAGE, "a")
    assert (facts.pinned, facts.cmd) == (f"{NAME}@{digest(internet.server.manifest_body)}", ("x",))


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_a_registry_does_not_give_to_this_user_is_not_his_because_another_one_pulled_it(
    internet: Internet, status: int
) -> None:
    internet.server.says = lambda _: reply(status, www_authenticate="Basic realm=x")
    for reference in (IMAGE, f"{NAME}@{OWN}"):
        with pytest.raises(TerminalError):
            await internet.images(engine=StandIn({reference: PULLED})).look_up(reference, "a")


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_where_nothing_is_private_what_the_registry_has_not_is_left_to_the_engine(
    internet: Internet, status: int
) -> None:
    internet.server.says = lambda _: reply(status, www_authenticate="Basic realm=x")
    for reference, digests in (("shop:1", ()), (f"shop@{OWN}", (f"shop@{OWN}",)), ("shop:2", (f"shop@{OWN}",))):
        engine = StandIn({reference: inspected(*(() if "@" in reference else (reference,)), digests=digests)})
        facts = await internet.images(engine=engine).look_up(reference, "a")
        assert (facts.pinned, facts.cmd) == (digests[0] if digests else reference, ("local",))
    with pytest.raises(TerminalError):
        await internet.images().look_up("shop:1", "a")


async def test_a_registry_that_does_not_exist_leaves_it_to_the_engine(internet: Internet) -> None:
    del internet.names[REGISTRY]
    facts = await internet.images(engine=StandIn({IMAGE: PULLED})).look_up(IMAGE, "a")
    assert (facts.pinned, facts.cmd) == (f"{NAME}@{OWN}", ("local",))
    with pytest.raises(TransientError, match="no such name"):
        await internet.images().look_up(IMAGE, "a")


async def test_a_registry_where_nobody_listens_gives_nobody_what_came_from_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    pulled = inspected(f"{host}/a:1", digests=(f"{host}/a@{OWN}",))
    images = RegistryImages(StandIn({f"{host}/a:1": pulled, f"{host}/a@{OWN}": pulled}), Reach(allowed=(host,)))
    for reference in (f"{host}/a:1", f"{host}/a@{OWN}"):  # another organization's user may have had it pulled
        with pytest.raises(TransientError, match="nobody listens there"):
            await images.look_up(reference, "a")
    never = RegistryImages(StandIn({f"{host}/a:1": inspected(f"{host}/a:1")}), Reach(allowed=(host,)))
    assert (await never.look_up(f"{host}/a:1", "a")).pinned == f"{host}/a:1", "it came from no registry"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_registry_that_is_only_away_is_waited_for(internet: Internet, status: int) -> None:
    internet.server.says = lambda _: reply(status)
    with pytest.raises(TransientError, match=f"answered {status}"):
        await internet.images(engine=StandIn({IMAGE: PULLED})).look_up(IMAGE, "a")


async def test_a_registry_that_lies_is_not_made_good_by_the_engine(internet: Internet) -> None:
    internet.server.says = lambda _: reply(200, b"<html>") if _.method == "GET" else None
    with pytest.raises(TerminalError, match="cannot be used"):
        await internet.images(engine=StandIn({IMAGE: PULLED})).look_up(IMAGE, "a")


async def test_a_digest_that_the_engine_has_is_asked_of_its_registry_where_there_is_one(internet: Internet) -> None:
    engine = StandIn({f"{NAME}@{OWN}": PULLED})
    internet.server.says = lambda _: reply(503)
    with pytest.raises(TransientError, match="answered 503"):
        await internet.images(engine=engine).look_up(f"{NAME}@{OWN}", "a")
    del internet.names[REGISTRY]
    for reference in (f"{NAME}@{OWN}", f"{IMAGE}@{OWN}"):
        facts = await internet.images(engine=engine).look_up(reference, "a")
        assert (facts.pinned, facts.cmd) == (f"{NAME}@{OWN}", ("local",))


async def test_a_name_that_an_engine_takes_for_the_beginning_of_an_id_is_none(internet: Internet) -> None:
    engine = StandIn({"deadbeef:latest": inspected("somebody/else:1"), "nginx:1": inspected("nginx:2")})
    with pytest.raises(TerminalError, match="is not there"):
        await internet.images(engine=engine).look_up("deadbeef", "a")
    assert (await internet.images(engine=engine).look_up("nginx:1", "a")).cmd == ("x",)


async def test_docker_s_names_are_the_same_in_every_spelling(internet: Internet) -> None:
    engine = StandIn({"docker.io/library/nginx:1": inspected("nginx:1", Entrypoint=["/local"])})
    facts = await internet.images(engine=engine).look_up("docker.io/library/nginx:1", "a")
    assert (facts.pinned, facts.entrypoint) == ("docker.io/library/nginx:1", ("/local",))


async def test_an_image_of_the_engine_that_cannot_run_here_is_refused(internet: Internet) -> None:
    engine = StandIn({IMAGE: inspected(IMAGE, machine="s390x")})
    with pytest.raises(TerminalError, match="for linux/s390x"):
        await internet.images(engine=engine).look_up(IMAGE, "a")


async def test_a_private_registry_is_refused_before_anything_is_asked(internet: Internet) -> None:
    engine = StandIn()
    with pytest.raises(TerminalError, match="SKYPANEL_ALLOWED_REGISTRIES") as refused:
        await internet.images(engine=engine).look_up("10.0.0.1:5000/app:1", "a")
    assert refused.value.reason == "ImageRefused"
    assert not engine.asked
    assert not internet.dialled


async def test_empty_fields_that_newer_engines_leave_out_are_as_those_of_older_ones(internet: Internet) -> None:
    older = inspected(IMAGE, Entrypoint=["/a"], Cmd=None, Healthcheck=None, Shell=[])
    newer = inspected(IMAGE, Entrypoint=["/a"])
    del newer["RepoDigests"]
    found = [await internet.images(engine=StandIn({IMAGE: one})).look_up(IMAGE, "a") for one in (older, newer)]
    assert found[0] == found[1]
