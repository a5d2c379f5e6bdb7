"""What people do meanwhile: declare, edit, scale, delete, make again under the same name, and put their hands on Swarm.

One seed gives one sequence of steps. Rows are written as the panel writes them; what is changed by hand on the engine
is changed as ``docker service`` does it.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

from deploy.engine import EngineApiError
from tests.e2e.world import World

APPS = 2
UNASKED = '{"disabled": true}'
"""Health checks of all: their programs listen nowhere."""
NAMES = ("production", "staging", "review", "preview")


class Workload:
    """Steps on a world, drawn from ``seed``."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.organization = world.organization("acme")
        self.apps = [world.app(self.organization, f"app{number}") for number in range(APPS)]
        self.said: list[str] = []
        self.rows_only = False
        """Whether hands stay off the engine, as it does not answer."""

    def begin(self) -> None:
        """Some environments, one of them with a task."""
        for app in self.apps:
            self.world.environment(app, NAMES[0], instances=1 if app == self.apps[0] else 0, healthcheck=UNASKED)
            self.world.environment(app, NAMES[1], instances=0, healthcheck=UNASKED)

    def steps(self, count: int) -> None:
        """So many steps."""
        for _ in range(count):
            self.step()

    def step(self) -> str:
        """One step; what it was."""
        kinds: list[tuple[Callable[[], str], int]] = [
            (self._create, 3),
            (self._edit, 4),
            (self._scale, 3),
            (self._delete, 2),
            (self._again, 2),
            (self._domain, 1),
            (self._damage, 0 if self.rows_only else 3),
        ]
        step = self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
        said = step()
        self.said.append(said)
        return said

    # -- rows ------------------------------------------------------------------------------------------------------

    def _living(self) -> list[dict[str, Any]]:
        return self.world.sql(
            "SELECT id, app_id, name, instances, swarm_name FROM paas_environments"
            " WHERE deleted_at IS NULL AND name = ANY (%s) ORDER BY created_at, id",
            list(NAMES),
        )

    def _create(self) -> str:
        taken = {(str(row["app_id"]), row["name"]) for row in self._living()}
        free = [(app, name) for app in self.apps for name in NAMES if (app, name) not in taken]
        if not free:
            return "create: every name is taken"
        app, name = self.random.choice(free)
        self.world.environment(app, name, instances=self.random.choice((0, 0, 1)), healthcheck=UNASKED)
        return f"create {name}"

    def _edit(self) -> str:
        row = self._any()
        if row is None:
            return "edit: nothing is there"
        seconds = self.random.randrange(1, 60)
        self.world.sql("UPDATE paas_environments SET stop_grace_seconds = %s WHERE id = %s", seconds, row["id"])
        return f"edit {row['swarm_name']}: {seconds} s of grace"

    def _scale(self) -> str:
        row = self._any()
        if row is None:
            return "scale: nothing is there"
        self.world.sql("UPDATE paas_environments SET instances = %s WHERE id = %s", 1 - row["instances"], row["id"])
        return f"scale {row['swarm_name']} to {1 - row['instances']}"

    def _delete(self) -> str:
        row = self._any()
        if row is None:
            return "delete: nothing is there"
        if self.random.random() < 0.3:
            self.world.sql("DELETE FROM paas_environments WHERE id = %s", row["id"])
            return f"delete the row of {row['swarm_name']}"
        self.world.sql("UPDATE paas_environments SET deleted_at = now() WHERE id = %s", row["id"])
        return f"delete {row['swarm_name']}"

    def _again(self) -> str:
        row = self._any()
        if row is None:
            return "again: nothing is there"
        self.world.sql("UPDATE paas_environments SET deleted_at = now() WHERE id = %s", row["id"])
        self.world.environment(
            str(row["app_id"]), row["name"], instances=row["instances"], stop_grace_seconds=3, healthcheck=UNASKED
        )
        return f"delete {row['swarm_name']} and make it again"

    def _domain(self) -> str:
        row = self._any()
        if row is None:
            return "domain: nothing is there"
        hostname = f"h{self.random.randrange(1 << 40):x}.{self.world.name}.localhost"
        self.world.insert("paas_domains", environment_id=row["id"], hostname=hostname)
        return f"domain {hostname} of {row['swarm_name']}"

    def _any(self) -> dict[str, Any] | None:
        rows = self._living()
        return self.random.choice(rows) if rows else None

    # -- hands -----------------------------------------------------------------------------------------------------

    def _damage(self) -> str:
        found = self.world.engine.get("/services", filters={"label": [f"io.skypanel.installation={self.world.name}"]})
        if not found:
            return "damage: nothing is there"
        service = self.random.choice(sorted(found, key=lambda one: str(one["Spec"]["Name"])))
        name, kind = service["Spec"]["Name"], self.random.choice(("remove", "label", "environment", "scale"))
        with contextlib.suppress(EngineApiError):  # the controller was faster
            if kind == "remove":
                self.world.engine.delete(f"/services/{service['ID']}")
            else:
                _change(service["Spec"], kind)
                path = f"/services/{service['ID']}/update"
                self.world.engine.post(path, service["Spec"], version=service["Version"]["Index"])
        return f"damage {name}: {kind}"


def _change(spec: dict[str, Any], kind: str) -> None:
    if kind == "label":
        spec["Labels"]["by-hand"] = "yes"
    elif kind == "environment":
        spec["TaskTemplate"]["ContainerSpec"]["Env"] = ["BY_HAND=yes"]
    else:
        replicas = spec["Mode"]["Replicated"].get("Replicas") or 0
        spec["Mode"]["Replicated"]["Replicas"] = 0 if replicas else 1
