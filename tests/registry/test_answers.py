"""What becomes of a registry's answers: tokens, redirects, refusals, and when it is asked again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from controller.registry.credentials import Credentials
from controller.registry.documents import MANIFESTS
from controller.registry.places import Repository
from reconcilers.outcomes import ReconcileError, TerminalError, TransientError
from specs.images import parse_image
from tests.registry.internet import AUTH, BLOBS, IMAGE, REGISTRY, Internet, Request, Sent, digest, reply

pytestmark = pytest.mark.anyio

CHALLENGE = f'Bearer realm="https://{AUTH}/token?account=x",service="a \\"registry\\", of tests",scope="whatever:*"'
REPOSITORY = Repository.of(parse_image(IMAGE))


def with_tokens(net: Internet, *, status: int = 200, name: str = "token", good: str = "t-1", **more: object) -> None:
    """Have the registry ask for a token, and the service give one."""

    def says(request: Request) -> Sent | None:
        if request.host == AUTH:
            return reply(status, json.dumps({name: good, **more}).encode(), content_type="application/json")
        if request.host == REGISTRY and request.headers.get("authorization") != f"Bearer {good}":
            return reply(401, www_authenticate=CHALLENGE)
        return None

    net.server.says = says


def to(net: Internet, host: str) -> list[Request]:
    return [request for request in net.server.asked if request.host == host]


@pytest.mark.parametrize("name", ["token", "access_token"])
async def test_a_token_is_fetched_once_and_kept(internet: Internet, name: str) -> None:
    with_tokens(internet, name=name)
    images = internet.images()
    for _ in range(3):
        await images.look_up(IMAGE, "a")
    (asked,) = to(internet, AUTH)
    assert parse_qs(urlsplit(asked.path).query) == {
        "account": ["x"],
        "service": ['a "registry", of tests'],
        "scope": ["repository:team/app:pull"],
    }
    assert "authorization" not in asked.headers


async def test_credentials_go_to_the_token_service_and_nowhere_else(internet: Internet) -> None:
    with_tokens(internet)
    user = Credentials("ci", "s3cret-4711")
    async with internet.client().asking(REPOSITORY, user) as asking:
        await asking.manifest("1")
    assert [request.headers["authorization"] for request in to(internet, AUTH)] == [user.basic]
    assert {request.headers.get("authorization") for request in to(internet, REGISTRY)} == {None, "Bearer t-1"}


async def test_a_token_of_one_user_is_not_another_s(internet: Internet) -> None:
    with_tokens(internet)
    client = internet.client()
    for user in (Credentials("a", "x"), Credentials("b", "x"), None, Credentials("a", "x")):
        async with client.asking(REPOSITORY, user) as asking:
            await asking.manifest("1")
    assert len(to(internet, AUTH)) == 3


async def test_a_token_that_is_refused_is_fetched_anew(internet: Internet) -> None:
    images = internet.images()
    with_tokens(internet)
    await images.look_up(IMAGE, "a")
    with_tokens(internet, good="t-2")
    await images.look_up(IMAGE, "a")
    assert len(to(internet, AUTH)) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_token_service_that_knows_us_not_denies_the_image(internet: Internet, status: int) -> None:
    with_tokens(internet, status=status)
    with pytest.raises(TerminalError, match=f"{AUTH}, the token service of {REGISTRY}, answered {status}") as denied:
        await internet.images().look_up(IMAGE, "a")
    assert denied.value.reason == "ImageDenied"
    assert "either there is no such repository" in denied.value.message


@pytest.mark.parametrize("token", ["", "a\r\nX-Evil: 1", "a b", 7, None, 40_000 * "x"])
async def test_a_token_that_is_none_is_refused(internet: Internet, token: object) -> None:
    with_tokens(internet, token=token, name="x")
    with pytest.raises(TerminalError, match="without a token"):
        await internet.images().look_up(IMAGE, "a")


async def test_a_token_service_that_is_away_is_waited_for(internet: Internet) -> None:
    with_tokens(internet, status=503)
    with pytest.raises(TransientError, match=f"has a token service, {AUTH}, that answered 503"):
        await internet.images().look_up(IMAGE, "a")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_without_the_authorization(internet: Internet, status: int) -> None:
    with_tokens(internet)
    asks = internet.server.says

    def says(request: Request) -> Sent | None:
        if request.host == REGISTRY and "/blobs/" in request.path and "authorization" in request.headers:
            return reply(status, location=f"https://{BLOBS}{request.path}?sig=a%2Fb")
        if request.host == BLOBS:
            return reply(200, internet.server.config_body)
        return asks(request)

    internet.server.says = says
    assert (await internet.images().look_up(IMAGE, "a")).cmd == ("x",)
    (asked,) = to(internet, BLOBS)
    assert "authorization" not in asked.headers
    assert asked.path.endswith("?sig=a%2Fb")
    assert ("93.184.216.3", 443) in internet.dialled


async def test_a_relative_redirect_stays_at_its_host_with_the_authorization(internet: Internet) -> None:
    with_tokens(internet)
    asks = internet.server.says

    def says(request: Request) -> Sent | None:
        if "/blobs/" in request.path and not request.path.startswith("/v2/again/"):
            return reply(302, location=request.path.replace("/v2/", "/v2/again/"))
        return asks(request)

    internet.server.says = says
    assert (await internet.images().look_up(IMAGE, "a")).cmd == ("x",)


async def test_nginx_is_asked_of_docker_s_registry(internet: Internet) -> None:
    facts = await internet.images().look_up("nginx:1", "a")
    assert facts.pinned == f"nginx@{digest(internet.server.manifest_body)}"
    assert {request.host for request in internet.server.asked} == {"registry-1.docker.io"}
    assert {request.path.rpartition("/")[0] for request in internet.server.asked} == {
        "/v2/library/nginx/manifests",
        "/v2/library/nginx/blobs",
    }
    assert internet.server.asked[0].headers["accept"].count("vnd.") == 4
    assert {(await internet.images().look_up(n, "a")).cmd for n in ("library/nginx:1", "docker.io/nginx:1")} == {("x",)}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "ImageRefused"),
        (401, "ImageDenied"),
        (403, "ImageDenied"),
        (404, "ImageNotFound"),
        (408, "RegistryUnavailable"),
        (410, "ImageRefused"),
        (429, "RegistryUnavailable"),
        (500, "RegistryUnavailable"),
        (502, "RegistryUnavailable"),
        (503, "RegistryUnavailable"),
        (204, "ImageRefused"),
        (206, "ImageRefused"),
    ],
)
@pytest.mark.parametrize("part", ["/manifests/", "/blobs/"])
async def test_a_status_becomes_an_outcome_that_names_it(
    internet: Internet, status: int, reason: str, part: str
) -> None:
    said = b'{"errors": [{"code": "DENIED", "message": "a-secret"}]}' if status > 299 else b""

    def says(request: Request) -> Sent | None:
        concerned = part in request.path and request.method == "GET"
        return reply(status, said, www_authenticate="Digest x=y") if concerned else None

    internet.server.says = says
    with pytest.raises(ReconcileError) as refused:
        await internet.images().look_up(IMAGE, "a")
    assert refused.value.reason == reason
    assert f"{REGISTRY} answered {status}" in refused.value.message
    assert "a-secret" not in refused.value.message
    assert "what runs goes on" in refused.value.message


@pytest.mark.parametrize(
    "headers", [{"retry_after": "120"}, {"retry_after": "Fri, 01 Jan 2100 00:00:00 GMT"}, {"retry_after": "soon"}, {}]
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_registry_that_says_later_is_not_asked_at_once_again(
    internet: Internet, status: int, headers: dict[str, str]
) -> None:
    internet.server.says = lambda _: reply(status, b"", **headers)
    images = internet.images()
    for image in (IMAGE, IMAGE, f"{REGISTRY}/other:2"):
        with pytest.raises(TransientError, match=f"{REGISTRY} answered {status}"):
            await images.look_up(image, "a")
    assert len(internet.server.asked) == 1
    internet.server.says = lambda _: None
    assert (await images.look_up("nginx:1", "a")).cmd == ("x",)


@pytest.mark.parametrize("method", [405, 400, 501])
async def test_a_registry_that_knows_no_head_is_asked_by_get(internet: Internet, method: int) -> None:
    internet.server.says = lambda r: reply(method) if r.method == "HEAD" else None
    assert (await internet.images().look_up(IMAGE, "a")).cmd == ("x",)


async def test_a_registry_that_names_no_media_type_is_taken_by_the_manifest_s_own(internet: Internet) -> None:
    internet.server.says = _retyped(internet, "application/octet-stream")
    assert (await internet.images().look_up(IMAGE, "a")).cmd == ("x",)


async def test_a_manifest_without_a_media_type_is_taken_by_its_answer_s(internet: Internet) -> None:
    internet.server.manifest["mediaType"] = None
    assert (await internet.images().look_up(IMAGE, "a")).cmd == ("x",)


async def test_a_media_type_that_the_answer_and_the_manifest_do_not_share_is_refused(internet: Internet) -> None:
    internet.server.says = _retyped(internet, MANIFESTS[0])
    with pytest.raises(TerminalError, match="read in two ways"):
        await internet.images().look_up(IMAGE, "a")


async def test_words_and_checks_are_read_as_engines_read_them(internet: Internet) -> None:
    internet.server.config["config"] = {
        "Entrypoint": "/bin/one",
        "Cmd": None,
        "Shell": ["/bin/ash", "-c"],
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 0, "Timeout": 5_000_000_000, "Retries": 0},
    }
    facts = await internet.images().look_up(IMAGE, "a")
    assert (facts.entrypoint, facts.cmd, facts.shell) == (("/bin/one",), (), ("/bin/ash", "-c"))
    assert facts.healthcheck == {"Test": ["CMD", "true"], "Timeout": 5_000_000_000}


def _retyped(net: Internet, media_type: str) -> Callable[[Request], Sent | None]:
    def says(request: Request) -> Sent | None:
        return net.server.honest(request).replace(MANIFESTS[1].encode(), media_type.encode(), 1)

    return says


async def test_a_connection_that_was_closed_in_between_is_made_anew(internet: Internet) -> None:
    def says(request: Request) -> Sent | None:
        return iter([internet.server.honest(request)])  # and closes, without a word

    internet.server.says = says
    assert (await internet.images().look_up(IMAGE, "a")).cmd == ("x",)
    assert len(internet.dialled) == 3


async def test_a_failure_is_told_to_all_who_asked_at_once(internet: Internet) -> None:
    internet.server.says = lambda _: reply(404)
    images = internet.images()
    told: list[str] = []

    async def ask() -> None:
        try:
            await images.look_up(IMAGE, "a")
        except TerminalError as error:
            told.append(error.reason)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
    assert told == 50 * ["ImageNotFound"]
    assert len(internet.server.asked) == 1


async def test_a_slow_registry_is_asked_by_few_at_once_and_holds_up_no_other(internet: Internet) -> None:
    inside, most, lock = 0, 0, threading.Lock()
    go_on = threading.Event()

    def says(request: Request) -> Sent | None:
        nonlocal inside, most
        if request.host == REGISTRY and request.method == "HEAD":
            with lock:
                inside += 1
                most = max(most, inside)
            go_on.wait(5)
            with lock:
                inside -= 1
        return None

    internet.server.says = says
    images = internet.images()
    async with anyio.create_task_group() as tasks:
        for n in range(20):
            tasks.start_soon(images.look_up, f"{REGISTRY}/team/app{n}:1", "a")
        assert (await images.look_up("nginx:1", "a")).cmd == ("x",)
        assert not go_on.is_set()
        while inside < 4:  # noqa: ASYNC110 - they are threads
            await anyio.sleep(0.01)
        go_on.set()
    assert most == 4
