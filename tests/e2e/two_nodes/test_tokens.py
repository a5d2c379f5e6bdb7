"""A private image of a registry that wants tokens, on nodes that never had it: now, and long after each token's end."""

from __future__ import annotations

import base64
import http.client
import io
import os
import socket
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import docker
import pytest

from deploy.engine import Node
from tests.e2e.test_registries import registries, said
from tests.e2e.two_nodes.leads import led, listener
from tests.e2e.two_nodes.nodes import available, crash, identity, running
from tests.e2e.world import WEB, World, eventually
from tests.labs import free_port
from tests.registry.real import RealRegistry
from tests.registry.real import running as registry_running
from tests.registry.tokens import Tokens

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

FIRST, SECOND, THIRD, WRONG = "first-4711", "second-4712", "third-4713", "wr0ng-4714"
PULL = "private/web:pull"


@dataclass(frozen=True, slots=True)
class Private:
    """A registry that wants tokens, under one address on this machine and on both nodes."""

    registry: RealRegistry
    tokens: Tokens

    @property
    def host(self) -> str:
        """As references have it."""
        return self.registry.host

    def push(self, node: Node, tag: str) -> str:
        """Put our web server there with a file more, and forget it on the node; its reference.

        A node that has a manifest asks nobody for it, whatever was forgotten since: each tag is another image.
        """
        reference = f"{self.host}/private/web"
        with closing(docker.APIClient(node.docker_host, version="auto")) as engine:
            made = engine.create_container(f"{WEB}:1")["Id"]
            engine.put_archive(made, "/", _tar(tag))
            engine.commit(made, reference, tag)
            engine.remove_container(made)
            user = {"username": "ci", "password": self.tokens.passwords["ci"]}
            told = engine.push(reference, tag, auth_config=user)
            assert '"error"' not in told, told
            engine.remove_image(f"{reference}:{tag}")
        return f"{reference}:{tag}"

    def takes(self, token: str) -> bool:
        """Whether the registry gives the image for a token."""
        with closing(http.client.HTTPConnection(self.host, timeout=5)) as connection:
            connection.request("GET", "/v2/private/web/tags/list", headers={"Authorization": f"Bearer {token}"})
            return connection.getresponse().status == 200


@pytest.fixture
def private(here: World, tmp_path: Path) -> Iterator[Private]:
    """One user and what is his; another one has nothing."""
    tokens = Tokens(free_port(), {"ci": FIRST, "eve": "eves-4711"}, {"private": "ci"})
    (tmp_path / "data").mkdir()
    with registry_running(tmp_path, tokens=tokens) as registry, ExitStack() as stack:
        port = int(registry.host.rpartition(":")[2])
        stack.enter_context(tokens.listening("here", socket.create_server(("127.0.0.1", tokens.port))))
        for node in here.lab.nodes:
            stack.enter_context(tokens.listening(f"node {node.index}", listener(node, tokens.port)))
            stack.enter_context(led(node, port))
        yield Private(registry, tokens)


def test_nodes_pull_with_a_password_and_a_task_that_moves_later_does_so_too(here: World, private: Private) -> None:
    first, second = here.lab.nodes
    tokens = private.tokens
    here.settings |= {
        "SKYPANEL_KEYS": base64.b64encode(os.urandom(32)).decode(),
        "SKYPANEL_ALLOWED_REGISTRIES": f"{WEB.partition('/')[0]},{private.host},127.0.0.1:{tokens.port}",
    }
    here.controller().start()
    acme, beta = here.organization("acme"), here.organization("beta")

    def set_password(password: str) -> None:
        registries(here, "set", private.host, "--username", "ci", "--wait", stdin=password)
        here.wait_ready(shop)

    def deploy(image: str) -> None:
        here.sql("UPDATE paas_environments SET image_ref = %s WHERE id = %s", image, shop)
        here.wait_ready(shop)

    def move(one: Node, other: Node) -> None:
        available(here.lab, one, "pause")
        available(here.lab, other, "active")
        crash(here, one, service)
        eventually(lambda: list(running(here, service).values()) == [identity(other)], what="it runs on the other node")
        here.wait_ready(shop)

    app, other = here.app(acme, "shop"), here.app(beta, "blog")
    for organization in (acme, beta):
        eventually(partial(said, here, "organization", organization, "NetworkReady"), what="its pin runs")
    reference = private.push(second, "1")
    tokens.asked.clear()
    available(here.lab, first, "pause")

    registries(here, "set", private.host, "--username", "ci", stdin=WRONG)
    told = registries(here, "test", private.host)
    assert "LoginRefused" in told
    assert "skypanel registries set" in told
    shop = here.environment(app, image_ref=reference, memory_mb=32)
    message = eventually(partial(said, here, "environment", shop, "ImageDenied"), what="a wrong password is told")
    assert "the user ci" in message
    assert "skypanel registries set" in message

    set_password(FIRST)
    assert tokens.pulled("here") != []
    assert tokens.pulled("node 2") == [PULL]
    assert tokens.pulled("node 1") == []
    service = here.service()
    assert list(running(here, service).values()) == [identity(second)]

    # -- whoever has no password of that registry runs nothing of it, though a node has it ----------------------------
    image = here.engine.get(f"/services/{service}")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
    assert image.startswith(f"{reference}@sha256:")
    thieves = [
        here.environment(other, name, image_ref=what, memory_mb=32)
        for name, what in (("digest", image), ("tag", reference), ("bare", image.replace(":1@", "@")))
    ]
    for thief in thieves:
        eventually(partial(said, here, "environment", thief, "ImageDenied"), what="the node's copy is not everybody's")

    # -- it moves, when each token of before has ended -----------------------------------------------------------------
    token = tokens.token("ci", [{"type": "repository", "name": "private/web", "actions": ["pull"]}])
    assert private.takes(token)
    eventually(lambda: not private.takes(token), what="tokens end")
    available(here.lab, first, "active")
    available(here.lab, second, "drain")
    eventually(lambda: list(running(here, service).values()) == [identity(first)], what="it runs on the other node")
    assert tokens.pulled("node 1") == [PULL]
    here.wait_ready(shop)

    # -- another password restarts nothing, and is what the next node pulls with ---------------------------------------
    deploy(private.push(first, "2"))
    assert tokens.pulled("node 1") == [PULL, PULL]
    before = running(here, service)
    tokens.passwords["ci"] = SECOND
    set_password(SECOND)
    assert running(here, service) == before
    move(first, second)
    assert tokens.pulled("node 2") == [PULL, PULL]

    # -- one that is not good any more is told, and the right one mends it ---------------------------------------------
    deploy(private.push(second, "3"))
    tokens.passwords["ci"] = THIRD
    available(here.lab, first, "active")
    available(here.lab, second, "drain")
    eventually(lambda: "No such image" in str(said(here, "environment", shop, "RollingOut")), what="it is told why")
    cause, mend = explained(here, f"{here.slug('acme')}/shop/production")
    assert "A node cannot get its image" in cause
    assert "skypanel registries set" in mend
    set_password(THIRD)
    assert list(running(here, service).values()) == [identity(first)]


def explained(here: World, path: str) -> list[str]:
    """Cause and mend."""
    return here.skypanel("explain", "env", path).stdout.splitlines()[:2]


def _tar(content: str) -> bytes:
    """A file that says it."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        entry = tarfile.TarInfo("which")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content.encode()))
    return target.getvalue()
