"""Users of registries on real parts: a private image runs, a wrong password is told, another restarts nothing."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import docker
import pytest

from deploy.engine.daemon import Daemon
from tests.e2e.world import WEB, World, eventually
from tests.labs import free_port
from tests.registry.real import CHANGED, USER, RealRegistry, program, running

PASSWORDS = (USER.password, CHANGED.password, "wr0ng-not-to-be-seen")


@dataclass(frozen=True, slots=True)
class Private:
    """A registry with a password, at one address of the node and of this machine: two programs over the same files."""

    registry: RealRegistry
    folders: tuple[Path, Path]
    engine: docker.APIClient

    @property
    def host(self) -> str:
        """As references have it."""
        return self.registry.host

    def push(self, tag: str, content: str = "1") -> str:
        """Put our web server there, and forget it on the node; its reference."""
        reference = f"{self.host}/private/web"
        self.engine.tag(f"{WEB}:{content}", reference, tag)
        user = {"username": USER.username, "password": USER.password}
        said = self.engine.push(reference, tag, auth_config=user)
        assert '"error"' not in said, said
        self.engine.remove_image(f"{reference}:{tag}")
        return f"{reference}:{tag}"

    def change_password(self) -> None:
        """Only the other one is good from now on."""
        for folder in self.folders:
            (folder / "htpasswd").write_text(CHANGED.htpasswd)


@pytest.fixture
def private(here: World, tmp_path: Path) -> Iterator[Private]:
    node, port = here.lab.nodes[0], free_port()
    folders = tmp_path / "at-the-node", tmp_path / "here"
    for folder in folders:
        folder.mkdir()
    (folders[0] / "data").mkdir()
    (folders[1] / "data").symlink_to(folders[0] / "data")
    within = node.daemon.sandbox.network_command()
    program()  # the node's network does not lead to where it comes from
    with node.network():
        theirs = running(folders[0], port=port, private=True, within=within)
        theirs.__enter__()
    _again(node.daemon, replace(node.daemon, pulls=True))
    engine = docker.APIClient(here.lab.docker_host, version="auto")
    try:
        with running(folders[1], port=port, private=True) as ours:
            yield Private(ours, folders, engine)
    finally:
        engine.close()
        _again(node.daemon, node.daemon)
        theirs.__exit__(None, None, None)


def _again(was: Daemon, now: Daemon) -> None:
    """Restart the node's engine as ``now`` says; its containers go on."""
    was.kill()
    now.start()
    now.wait()


def registries(here: World, verb: str, *words: str, organization: str = "acme", stdin: str = "") -> str:
    done = here.skypanel("registries", verb, here.slug(organization), *words, stdin=stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def said(here: World, kind: str, object_id: str, reason: str) -> str | None:
    """The message of its status, once it has this reason."""
    found = here.conditions(kind, object_id).get("Ready") or {}
    return found["message"] if found.get("reason") == reason else None


def tasks(here: World) -> list[dict[str, Any]]:
    return list(here.engine.get("/tasks", filters={"service": [here.service()]}))


def test_a_private_image_runs_and_another_password_restarts_nothing(here: World, private: Private) -> None:
    here.settings |= {
        "SKYPANEL_KEYS": base64.b64encode(os.urandom(32)).decode(),
        "SKYPANEL_ALLOWED_REGISTRIES": f"{WEB.partition('/')[0]},{private.host}",
    }
    controller = here.controller()
    controller.start()
    waits = "--username", USER.username, "--wait"
    first, second = private.push("1"), private.push("2")
    app = here.app(here.organization("acme"), "shop")

    registries(here, "set", private.host, "--username", USER.username, stdin=PASSWORDS[2])
    told = registries(here, "test", private.host)
    assert "LoginRefused" in told
    assert "skypanel registries set" in told
    shop = here.environment(app, image_ref=first, memory_mb=32)
    message = eventually(partial(said, here, "environment", shop, "ImageDenied"), what="it is told")
    assert f"the user {USER.username}" in message
    assert not tasks_of_nothing(here)

    assert "SignedIn" in registries(here, "set", private.host, *waits, stdin=PASSWORDS[0])
    here.wait_ready(shop)
    before = {task["ID"] for task in tasks(here)}
    (label,) = pulls_as(here)

    private.change_password()
    assert "LoginRefused" in registries(here, "test", private.host)
    assert "SignedIn" in registries(here, "set", private.host, *waits, stdin=PASSWORDS[1])
    eventually(lambda: pulls_as(here) not in ([], [label]), what="the engine has the new one")
    here.wait_ready(shop)
    assert {task["ID"] for task in tasks(here)} == before, "a task was restarted for a password"

    here.sql("UPDATE paas_environments SET image_ref = %s WHERE id = %s", second, shop)
    here.wait_ready(shop)
    named = {task["Spec"]["ContainerSpec"]["Image"] for task in tasks(here)}
    assert {image.partition("@")[0] for image in named} == {first, second}
    assert all("@sha256:" in image for image in named), "what was looked up is what runs"

    digest = next(image for image in named if image.startswith(second))
    thief = here.environment(here.app(here.organization("beta"), "blog"), image_ref=digest, memory_mb=32)
    eventually(partial(said, here, "environment", thief, "ImageDenied"), what="the node's copy is not everybody's")

    registries(here, "unset", private.host)
    eventually(lambda: pulls_as(here) == [], what="the engine has forgotten him")

    services = here.engine.get("/services")
    containers = [
        here.engine.get(f"/containers/{task['Status']['ContainerStatus']['ContainerID']}/json")
        for task in tasks(here)
        if task["Status"]["State"] == "running"
    ]
    rows = [here.root(f"SELECT t::text FROM {table} t") for table in STORED]
    shown = repr([services, tasks(here), containers, rows]) + controller.text() + controller.fetch("/metrics")
    for password in PASSWORDS:
        assert password not in shown
        assert base64.b64encode(password.encode()).decode()[:16] not in shown


STORED = (
    "caas_registry_credentials", "skypanel.object_status", "skypanel.events", "skypanel.inventory", "paas_image_facts",
)  # fmt: skip


def pulls_as(here: World) -> list[str]:
    """Revision of the user that the service's nodes pull with."""
    spec = here.engine.get(f"/services/{here.service()}")["Spec"]
    return [value for name, value in spec["Labels"].items() if name == "io.skypanel.pulls-as"]


def tasks_of_nothing(here: World) -> list[str]:
    """Names of services that there are although nothing could be pulled."""
    return [name for name in here.services() if name == here.service()]
