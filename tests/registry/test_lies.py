"""Registries that lie, stall and lure: each is refused, in words that say what is wrong, and none leads inside."""

from __future__ import annotations

import gzip
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from controller.registry import client, wire
from controller.registry.documents import CONFIGS, INDEXES, MANIFESTS
from reconcilers.outcomes import ReconcileError
from tests.registry.internet import (
    AUTH,
    BLOBS,
    IMAGE,
    REGISTRY,
    Internet,
    Request,
    Sent,
    Server,
    digest,
    index_of,
    listening,
    reply,
)

pytestmark = pytest.mark.anyio

Change = Callable[[Internet], None]
LINUX = {"platform": {"os": "linux", "architecture": "amd64"}}
METADATA = "169.254.169.254"


@dataclass(frozen=True, slots=True)
class Lie:
    """What a registry does, and what is said of it."""

    name: str
    done: Change
    reason: str
    words: str


def at(part: str, said: Callable[[Request], Sent] | Sent, method: str = "GET") -> Change:
    """Say something where a path has this in it."""

    def change(net: Internet) -> None:
        def says(request: Request) -> Sent | None:
            if part in request.path and request.method == method:
                return said(request) if callable(said) else said
            return None

        net.server.says = says

    return change


def manifest(**changes: Any) -> Change:
    """Have another manifest, with its right digest."""
    return lambda net: net.server.manifest.update(changes)


def config(**changes: Any) -> Change:
    """Have another config, with its right digest."""
    return lambda net: net.server.config.update(changes)


def descriptor(**changes: Any) -> Change:
    """Say other things of the config."""

    def change(net: Internet) -> None:
        body = net.server.config_body
        net.server.manifest["config"] = {"mediaType": CONFIGS[1], "digest": digest(body), "size": len(body), **changes}

    return change


def moved(to: str, part: str = "/manifests/") -> Change:
    """Redirect."""
    return at(part, lambda r: reply(307, location=to) if r.host == REGISTRY else reply(200, b"inside"), "HEAD")


def challenged(words: str) -> Change:
    """Ask for authorization."""
    return at("/v2/", reply(401, www_authenticate=words), "HEAD")


def named(name: str, *addresses: str) -> Change:
    """Have a name lead somewhere."""

    def change(net: Internet) -> None:
        net.names[name] = list(addresses)

    return change


def both(*changes: Change) -> Change:
    def change(net: Internet) -> None:
        for one in changes:
            one(net)

    return change


def always(body: bytes, media_type: str = MANIFESTS[0]) -> Change:
    """Say this to everything, with its right digest."""

    def change(net: Internet) -> None:
        def says(request: Request) -> Sent | None:
            whole = reply(200, body, docker_content_digest=digest(body), content_type=media_type)
            return whole if request.method == "GET" else whole.removesuffix(body)

        net.server.says = says

    return change


def endless() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield from itertools.repeat(b"10000\r\n" + 65536 * b" " + b"\r\n", 4096)


def endless_head() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    yield from (f"X-{n}: {4096 * 'x'}\r\n".encode() for n in range(100_000))


def dripping() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    for _ in range(1000):
        time.sleep(0.05)
        yield b" "


def silent() -> Iterator[bytes]:
    time.sleep(2)
    yield b""


def cut_off() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"


def helm() -> Change:
    return descriptor(mediaType="application/vnd.cncf.helm.config.v1+json")


OTHER = b'{"architecture": "amd64", "os": "linux", "config": {"Cmd": ["y"]}}'
SCHEMA_1: dict[str, Any] = {"schemaVersion": 1, "mediaType": None, "fsLayers": []}
REFUSED, AWAY, DENIED = "ImageRefused", "RegistryUnavailable", "ImageDenied"
LIES = [
    Lie("another manifest under a digest", at("/manifests/sha256", reply(200, b"{}")), REFUSED, "sends is not sha256:"),
    Lie("another config", at("/blobs/", reply(200, OTHER)), REFUSED, "sends is not sha256:"),
    Lie("a shorter config", at("/blobs/", reply(200, OTHER[:-2])), REFUSED, "has 64 bytes, and its manifest says 66"),
    Lie("a longer config", at("/blobs/", reply(200, OTHER + b" ")), REFUSED, "more than 66 bytes"),
    Lie(
        "another digest in the head",
        at("/manifests/", lambda r: reply(200, b"{}", docker_content_digest=digest(b"x"))),
        REFUSED,
        "sends is not",
    ),
    Lie("a digest that is a path", at("/manifests/", reply(200, docker_content_digest="../../x"), "HEAD"), "", ""),
    Lie("an endless manifest", at("/manifests/", lambda _: endless()), REFUSED, "more than 4194304 bytes"),
    Lie("an endless config", at("/blobs/", lambda _: endless()), REFUSED, "more than 66 bytes"),
    Lie("an endless head", at("/manifests/", lambda _: endless_head()), REFUSED, "head of its answer has more than"),
    Lie("a body that drips", at("/manifests/", lambda _: dripping()), AWAY, "within 1.5 s"),
    Lie("silence", at("/manifests/", lambda _: silent()), AWAY, "nothing came for 0.5 s"),
    Lie(
        "a body that ends early", at("/manifests/", lambda _: cut_off()), AWAY, "ended the connection within its answer"
    ),
    Lie("no HTTP", at("/manifests/", lambda _: iter([b"SSH-2.0-OpenSSH_9.2\r\n"])), REFUSED, "is not HTTP"),
    Lie(
        "a bomb",
        at("/manifests/", reply(200, gzip.compress(1_000_000 * b" "), content_encoding="gzip")),
        REFUSED,
        "compressed, which was not asked for",
    ),
    Lie("a login page", at("/manifests/", lambda r: reply(200, b"<html>", content_type="text/html"), "HEAD"), "", ""),
    Lie("a page instead of a manifest", always(b"<html>", "text/html"), REFUSED, "no JSON object"),
    Lie("a list instead of a manifest", always(b"[]"), REFUSED, "no JSON object"),
    Lie("a hundred thousand brackets", always(100_000 * b"["), REFUSED, "no JSON object"),
    Lie("another media type", manifest(mediaType="application/vnd.example+json"), REFUSED, "is no manifest"),
    Lie("schema 1", manifest(**SCHEMA_1), REFUSED, "old form .schema 1."),
    Lie("both manifest and index", manifest(manifests=[]), REFUSED, "can be read in two ways"),
    Lie(
        "an index within an index",
        manifest(**index_of({"mediaType": INDEXES[0], "digest": digest(b""), "size": 2, **LINUX})),
        REFUSED,
        "an index within an index",
    ),
    Lie("an index of nothing", manifest(**index_of()), REFUSED, "no image for linux/amd64 or linux/arm64"),
    Lie(
        "an index of strange entries",
        manifest(**index_of({"platform": 7}, {"platform": {"os": ["linux"]}})),
        REFUSED,
        "no image for",
    ),
    Lie(
        "an entry without a digest",
        manifest(**index_of({"mediaType": MANIFESTS[0], "digest": "sha256:../x", "size": 2, **LINUX})),
        REFUSED,
        "form that descriptors have",
    ),
    Lie("something that is no image", helm(), REFUSED, "no image that runs: .*helm"),
    Lie("a config of a gigabyte", descriptor(size=1 << 30), REFUSED, "1073741824 bytes, and at most 8388608"),
    Lie("a config of less than nothing", descriptor(size=-1), REFUSED, "-1 bytes"),
    Lie("a config that is a number", descriptor(size=True, digest=7), REFUSED, "form that descriptors have"),
    Lie("an entry point with a NUL", config(config={"Cmd": ["a\0b"]}), REFUSED, "form that configs have"),
    Lie("an entry point of numbers", config(config={"Entrypoint": [1]}), REFUSED, "form that configs have"),
    Lie("a config that is a list", config(config=[1]), REFUSED, "form that configs have"),
    Lie(
        "an entry point of a megabyte", config(config={"Cmd": 100 * [10_000 * "x"]}), REFUSED, "at most 65536 are taken"
    ),
    Lie("for Windows", config(os="windows"), REFUSED, "for windows/amd64"),
    Lie(
        "a redirect to itself",
        at("/manifests/", lambda r: reply(307, location=r.path), "HEAD"),
        AWAY,
        "redirects more than 5 times",
    ),
    Lie("a redirect to nowhere", moved(""), AWAY, "redirects more than 5 times"),
    Lie(
        "a redirect to the metadata service",
        moved(f"http://{METADATA}/latest/"),
        REFUSED,
        f"{METADATA} is not .*not a public address",
    ),
    Lie(
        "a redirect to a private address",
        moved("https://10.0.0.1/x"),
        REFUSED,
        "10.0.0.1 is not .*not a public address",
    ),
    Lie("a redirect to this host", moved("https://[::1]:9470/metrics"), REFUSED, "9470 is not .*not a public address"),
    Lie("a redirect to a disguised address", moved("https://0x7f.1/x"), REFUSED, "unusual spelling"),
    Lie("a redirect to an embedded address", moved("https://[::ffff:10.0.0.1]/x"), REFUSED, "not a public address"),
    Lie("a redirect to a name of the inside", moved("https://vault.internal/x"), REFUSED, "below internal are private"),
    Lie(
        "a redirect to a public name of a private address",
        both(named(BLOBS, "10.0.0.1"), moved(f"https://{BLOBS}/x")),
        REFUSED,
        f"{BLOBS} is not .*not a public address",
    ),
    Lie("a redirect out of TLS", moved(f"http://{BLOBS}/x"), REFUSED, "would be asked without TLS"),
    Lie("a redirect to a file", moved("file:///etc/passwd"), REFUSED, "no address of HTTP"),
    Lie("a redirect with a password", moved(f"https://a:b@{BLOBS}/x"), REFUSED, "no address of HTTP"),
    Lie("a redirect with a port beyond ports", moved(f"https://{BLOBS}:99999/x"), REFUSED, "no address of HTTP"),
    Lie("a redirect with a space", moved(f"https://{BLOBS}/x HTTP/1.1"), REFUSED, "no address of HTTP"),
    Lie("a token service inside", challenged(f'Bearer realm="http://{METADATA}/token"'), REFUSED, f"{METADATA} is not"),
    Lie("a token service without TLS", challenged(f'Bearer realm="http://{AUTH}/token"'), REFUSED, "without TLS"),
    Lie("a token service that is none", challenged('Bearer realm="token"'), REFUSED, "no address of HTTP"),
    Lie("a challenge without a realm", challenged("Bearer"), REFUSED, "no address of HTTP"),
    Lie(
        "a challenge that nobody knows",
        challenged('Negotiate, Digest realm="x"'),
        DENIED,
        "asks for nothing that we know",
    ),
    Lie("no challenge", at("/v2/", reply(401), "HEAD"), DENIED, "asks for nothing that we know"),
    Lie(
        "a name of a private address", named(REGISTRY, "10.0.0.1"), REFUSED, f"{REGISTRY} is not .*not a public address"
    ),
    Lie(
        "a name of which one address is private",
        named(REGISTRY, "93.184.216.1", "127.0.0.1"),
        REFUSED,
        "not a public address",
    ),
    Lie("a name of a scoped address", named(REGISTRY, "fe80::1%lo"), REFUSED, "not a public address"),
    Lie("a name of no address", named(REGISTRY), AWAY, "has no address"),
    Lie(
        "a certificate of somebody else",
        named("other.example.com", "93.184.216.9"),
        AWAY,
        "certificate that is not trusted",
    ),
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
async def test_a_lie_is_refused(internet: Internet, lie: Lie, monkeypatch: pytest.MonkeyPatch) -> None:
    if "0.5 s" in lie.words:
        monkeypatch.setattr(wire, "SILENT_SECONDS", 0.5)
    if "1.5 s" in lie.words:
        monkeypatch.setattr(client, "LOOK_SECONDS", 1.5)
    lie.done(internet)
    image = IMAGE.replace(REGISTRY, "other.example.com") if "somebody else" in lie.name else IMAGE
    images = internet.images()
    if not lie.reason:  # it does no harm: what counts is what it has
        assert (
            await images.look_up(image, "a")
        ).pinned == f"{REGISTRY}/team/app@{digest(internet.server.manifest_body)}"
        return
    with pytest.raises(ReconcileError, match=lie.words) as refused:
        await images.look_up(image, "a")
    assert refused.value.reason == lie.reason
    assert {address for address, _ in internet.dialled} <= {f"93.184.216.{n}" for n in range(10)}
    assert all("a-secret" not in str(part) for part in refused.value.args)


async def test_a_name_that_leads_elsewhere_later_is_looked_at_again(internet: Internet) -> None:
    internet.server.says = lambda r: (
        reply(307, location=f"https://{BLOBS}{r.path}") if r.host == REGISTRY and "blobs" in r.path else None
    )
    images = internet.images()
    assert (await images.look_up(IMAGE, "a")).cmd == ("x",)
    internet.server.config["config"] = {"Cmd": ["z"]}
    internet.names[BLOBS] = ["127.0.0.1"]
    with pytest.raises(ReconcileError, match="not a public address"):
        await images.look_up(IMAGE, "a")


async def test_a_public_registry_without_tls_is_not_asked(internet: Internet) -> None:
    with listening(None, Server()) as port:
        plain = Internet(port, internet._trust, internet.server)
        with pytest.raises(ReconcileError, match="does not speak TLS") as refused:
            await plain.images().look_up(IMAGE, "a")
    assert refused.value.reason == AWAY
    assert plain.dialled == [("93.184.216.1", 443)]
    assert not internet.server.asked


async def test_what_an_operator_lists_may_be_private(internet: Internet) -> None:
    internet.names[REGISTRY] = ["10.0.0.1"]
    assert (await internet.images(REGISTRY).look_up(IMAGE, "a")).cmd == ("x",)
    assert internet.dialled == [("10.0.0.1", 443)]
