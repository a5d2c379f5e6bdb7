"""A secret is rotated on a real engine: a new one is made, the service moved, the old one held while it is needed."""

from __future__ import annotations

from typing import Any

import pytest

from controller.records import InventoryUpdate
from deploy.engine import Lab
from reconcilers import labels
from reconcilers.objects import Config, Objects, Secret, Service
from reconcilers.outcomes import InUseError
from tests.swarm.harness import SwarmHarness, scene, until

pytestmark = pytest.mark.anyio

KEY = b"of this installation"


def owned(here: SwarmHarness) -> dict[str, str]:
    return labels.owned(here.options.installation, *here.key, here.organization_id)


def rotated(here: SwarmHarness, value: bytes, **changes: Any) -> tuple[Objects, Secret]:
    """The environment's service with a secret and a config."""
    secret = Secret.named(f"{here.slug}-token", value, key=KEY, labels=owned(here))
    config = Config.named(f"{here.slug}-settings", b"settings", key=KEY, labels=owned(here))
    (service,) = here.services(instances=1, **changes).services
    template = service.spec["TaskTemplate"]
    container = {
        **template["ContainerSpec"],
        "Secrets": [secret.file("token", mode=0o444)],
        "Configs": [config.file("/etc/settings", mode=0o444)],
    }
    sealed = Service.seal({**service.spec, "TaskTemplate": {**template, "ContainerSpec": container}})
    return Objects((sealed, secret, config)), secret


def there(here: SwarmHarness, secret: Secret) -> bool:
    return any(each["Spec"]["Name"] == secret.name for each in here.api.get("/secrets"))


async def complete(here: SwarmHarness, wanted: Objects) -> None:
    """Until all tasks run; nobody tells the view here."""

    async def all_run() -> bool:
        await here.cluster.refresh_all()
        return all(r.complete for r in await here.cluster.service_progress(wanted.services, {}))

    await until(all_run)


async def test_an_old_secret_goes_when_neither_a_rollback_nor_a_task_can_need_it(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        first, old = rotated(here, b"old")
        await here.apply(here.key, first)
        await complete(here, first)
        assert here.cluster.plan(here.key, first, ()).changes == ()

        second, new = rotated(here, b"new")
        await here.converge(here.key, second)
        await complete(here, second)
        assert there(here, old), "Swarm's rollback needs it"
        name = second.services[0].name
        service = here.stored(name)
        version = service["Version"]["Index"]
        here.api.post(f"/services/{service['ID']}/update", service["Spec"], version=version, rollback="previous")
        await complete(here, first)

        await here.converge(here.key, second)
        third, _ = rotated(here, b"new", port=9000)
        await here.converge(here.key, third)
        await here.cluster.refresh_all()
        assert here.live(name).previous, "the spec before it refers to the new one"

        async def gone() -> bool:
            changes = here.cluster.plan(here.key, third, ())
            if [(c.action, c.name) for c in changes.changes] != [("delete", old.name)]:
                return False
            try:
                await here.do(changes)
            except InUseError:
                assert there(here, old)
                return False
            return True

        await until(gone)
        assert not there(here, old)
        assert there(here, new)
        assert here.learned[-1] == InventoryUpdate("secret", old.name, gone=True)


async def test_contents_go_with_their_owner_when_its_tasks_have_ended(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        wanted, secret = rotated(here, b"old")
        await here.apply(here.key, wanted)
        await complete(here, wanted)

        async def gone() -> bool:
            try:
                await here.apply(here.key, Objects())
            except InUseError:
                return False
            return True

        await until(gone)
        assert not there(here, secret)
        assert here.cluster.live.owned("config", here.key) == []
