"""An operator and a busy panel at once: docker commands by hand on the real engine, and SQL, good and bad.

One seed gives one sequence of steps. After each round the panel mends what is wrong in its rows, and everything must be
as the tests of this folder ask it to be; before that, with wrong rows and images that do not start in it, no safety
property may be broken, and every row is spoken of.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from typing import Any

import psycopg

from deploy.engine import EngineApiError
from reconcilers import labels
from tests.chaos import oracles
from tests.chaos.harness import ChaosHarness
from tests.chaos.view import broken
from tests.chaos.workload import UNASKED
from tests.e2e.world import WEB, eventually

GOOD = (f"{WEB}:1", f"{WEB}:2")
BAD = (f"{WEB}:never-built", f"{WEB}@sha256:{'0' * 64}")
SLUGS = ("shop", "blog", "mail", "wiki")
NAMES = ("production", "staging")
MOST_ENVIRONMENTS = 6
QUIET_SECONDS = 90.0
AT_ONCE_SECONDS = 0.4


class Operator:
    """Steps on a harness, drawn from ``seed``; ``close`` takes the rows away that it made."""

    def __init__(self, chaos: ChaosHarness, seed: int) -> None:
        self.chaos = chaos
        self.world = chaos.world
        self.chance = random.Random(seed)
        self.said: list[str] = []
        self._numbers = 0
        self._homes = [chaos.workload.organization, self.world.organization("beta")]
        for home in self._homes:
            self._environment(home)

    def round(self, steps: int) -> None:
        """So many steps with short pauses; then everything must come to be as it should.

        Raises:
            AssertionError: it does not, or something was broken on the way.
        """
        for _ in range(steps):
            self.said.append(self._step())
            time.sleep(self.chance.uniform(0.0, AT_ONCE_SECONDS))
        try:
            eventually(lambda: not self._unspoken(), seconds=QUIET_SECONDS)
        except AssertionError:
            raise AssertionError("\n".join(["not spoken of:", *map(str, self._unspoken()), *self.said])) from None
        self._holds("with wrong rows")
        self._mend()
        oracles.settled(self.chaos, seconds=QUIET_SECONDS)
        self._holds("when all rows are good")
        oracles.quiet(self.chaos)
        oracles.never_broken(self.chaos)

    def close(self) -> None:
        """Leave nothing behind."""
        self.world.sql(
            "UPDATE paas_environments e SET deleted_at = now() FROM paas_apps a"
            " WHERE a.id = e.app_id AND NOT a.id = ANY (%s::uuid[]) AND e.deleted_at IS NULL",
            self.chaos.workload.apps,
        )
        oracles.settled(self.chaos, seconds=QUIET_SECONDS)

    def _holds(self, when: str) -> None:
        try:
            eventually(lambda: not broken(self.chaos), seconds=QUIET_SECONDS)
        except AssertionError:
            raise AssertionError(f"{when}: {'; '.join(broken(self.chaos))}") from None

    def _unspoken(self) -> list[dict[str, Any]]:
        """Objects of which nothing is said in their present generation, or that are still going.

        A rename of an app also changes the generation of environments that went long ago.
        """
        return self.world.root(
            "SELECT o.kind, o.id, o.generation, o.deleted, s.observed_generation, s.reason, s.message, s.updated_at"
            " FROM skypanel.objects o LEFT JOIN skypanel.object_status s USING (kind, id)"
            " WHERE CASE WHEN o.deleted THEN s.finalized_at IS NULL"
            " ELSE s.observed_generation IS DISTINCT FROM o.generation END"
        )

    def _step(self) -> str:
        kinds: list[tuple[Callable[[], str], int]] = [
            (self._create, 3),
            (self._delete, 2),
            (self._rename, 3),
            (self._move, 1),
            (self._suspend, 2),
            (self._domains, 4),
            (self._processes, 1),
            (self._image, 4),
            (self._scale, 2),
            (self._spoil, 2),
            (self._by_hand, 8),
        ]
        step = self.chance.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
        try:
            return step()
        except psycopg.errors.IntegrityError as error:
            return f"{step.__name__.strip('_')}: refused, {error.diag.message_primary}"
        except psycopg.errors.RaiseException as error:
            return f"{step.__name__.strip('_')}: refused, {error.diag.message_primary}"

    # -- the panel ---------------------------------------------------------------------------------------------------

    def _environment(self, home: str) -> str:
        self._numbers += 1
        slug = f"{self.chance.choice(SLUGS)}{self._numbers}"
        app = self.world.app(home, slug)
        name = self.chance.choice(NAMES)
        made = self.world.environment(
            app, name, instances=self.chance.choice((0, 1, 1, 2)), stop_grace_seconds=1, healthcheck=UNASKED
        )
        if self.chance.random() < 0.7:
            self.world.insert("paas_domains", environment_id=made, hostname=self._host())
        return f"create {slug} {name}"

    def _host(self) -> str:
        return f"h{self.chance.randrange(8)}.{self.world.name}.localhost"

    def _rows(self) -> list[dict[str, Any]]:
        return self.world.sql(
            "SELECT e.id, e.swarm_name, e.app_id FROM paas_environments e JOIN paas_apps a ON a.id = e.app_id"
            " WHERE e.deleted_at IS NULL AND a.deleted_at IS NULL ORDER BY e.created_at, e.id"
        )

    def _any(self) -> dict[str, Any]:
        rows = self._rows()
        if not rows:
            self._environment(self._homes[0])
            rows = self._rows()
        return self.chance.choice(rows)

    def _set(self, what: str, **columns: object) -> str:
        row = self._any()
        marks = ", ".join(f"{column} = %s" for column in columns)
        self.world.sql(f"UPDATE paas_environments SET {marks} WHERE id = %s", *columns.values(), row["id"])
        return f"{what} of {row['swarm_name']}: {columns}"

    def _create(self) -> str:
        if len(self._rows()) >= MOST_ENVIRONMENTS:
            return self._delete()
        return self._environment(self.chance.choice(self._homes))

    def _delete(self) -> str:
        row = self._any()
        if self.chance.random() < 0.3:
            self.world.sql("DELETE FROM paas_environments WHERE id = %s", row["id"])
            return f"delete the row of {row['swarm_name']}"
        self.world.sql("UPDATE paas_environments SET deleted_at = now() WHERE id = %s", row["id"])
        return f"delete {row['swarm_name']}"

    def _rename(self) -> str:
        self._numbers += 1
        if self.chance.random() < 0.4:
            home = self.chance.choice(self._homes)
            slug = self.world.slug(f"{self.chance.choice(('acme', 'beta', 'apex'))}{self.chance.choice(('', '2'))}")
            self.world.sql("UPDATE organizations SET slug = %s WHERE id = %s", slug, home)
            return f"rename an organization to {slug}"
        row = self._any()
        slug = f"{self.chance.choice(SLUGS)}{self._numbers}"
        self.world.sql("UPDATE paas_apps SET slug = %s WHERE id = %s", slug, row["app_id"])
        return f"rename the app of {row['swarm_name']} to {slug}"

    def _move(self) -> str:
        row, home = self._any(), self.chance.choice(self._homes)
        self.world.sql("UPDATE paas_apps SET organization_id = %s WHERE id = %s", home, row["app_id"])
        return f"move the app of {row['swarm_name']}"

    def _suspend(self) -> str:
        suspended = self.chance.random() < 0.5
        if self.chance.random() < 0.3:
            home = self.chance.choice(self._homes)
            self.world.sql("UPDATE paas_organizations SET suspended = %s WHERE organization_id = %s", suspended, home)
            return f"suspend an organization: {suspended}"
        return self._set("suspend", suspended=suspended)

    def _domains(self) -> str:
        row = self._any()
        if self.chance.random() < 0.4:
            self.world.sql("DELETE FROM paas_domains WHERE environment_id = %s", row["id"])
            return f"no domains of {row['swarm_name']}"
        host = self._host()
        taken = self.world.sql("SELECT id FROM paas_domains WHERE hostname = %s AND deleted_at IS NULL", host)
        if taken:
            self.world.sql("UPDATE paas_domains SET environment_id = %s WHERE id = %s", row["id"], taken[0]["id"])
            return f"{host} goes to {row['swarm_name']}"
        self.world.insert("paas_domains", environment_id=row["id"], hostname=host)
        return f"{host} of {row['swarm_name']}"

    def _processes(self) -> str:
        row = self._any()
        if self.chance.random() < 0.5:
            self.world.sql("DELETE FROM paas_processes WHERE environment_id = %s AND type = 'worker'", row["id"])
            return f"no worker of {row['swarm_name']}"
        for kind, port in (("web", 8080), ("worker", None)):
            if not self.world.sql(
                "SELECT id FROM paas_processes WHERE environment_id = %s AND type = %s", row["id"], kind
            ):
                self.world.insert("paas_processes", environment_id=row["id"], type=kind, port=port, instances=1)
        return f"a worker of {row['swarm_name']}"

    def _image(self) -> str:
        return self._set("image", image_ref=self.chance.choice(GOOD), cmd=None)

    def _scale(self) -> str:
        return self._set("scale", instances=self.chance.choice((0, 1, 2)))

    def _spoil(self) -> str:
        """What stalls, is rolled back, or never starts."""
        row = self._any()
        kind = self.chance.choice(("image", "crash", "domain", "command"))
        if kind == "domain":
            self.world.insert("paas_domains", environment_id=row["id"], hostname=self._host(), process_type="nobody")
            return f"a domain of no process of {row['swarm_name']}"
        columns: dict[str, dict[str, object]] = {
            "image": {"image_ref": self.chance.choice(BAD)},
            "crash": {"cmd": ["crash"]},
            "command": {"entrypoint": ["/no/such/program"]},
        }
        return self._set(f"spoil by {kind}", **columns[kind])

    def _mend(self) -> None:
        """Every row is good, and every node takes tasks."""
        self._make_active()
        self.world.sql("DELETE FROM paas_domains WHERE process_type = 'nobody'")
        self.world.sql("UPDATE paas_organizations SET suspended = false")
        self.world.sql(
            "UPDATE paas_environments SET image_ref = %s, cmd = NULL, entrypoint = NULL, suspended = false,"
            " instances = least(instances, 1) WHERE deleted_at IS NULL",
            GOOD[0],
        )

    # -- hands -------------------------------------------------------------------------------------------------------

    def _by_hand(self) -> str:
        found = self.world.engine.get("/services", filters={"label": [f"{labels.INSTALLATION}={self.world.name}"]})
        if not found:
            return "by hand: nothing is there"
        service = self.chance.choice(sorted(found, key=lambda one: str(one["Spec"]["Name"])))
        hands: dict[str, Callable[[dict[str, Any]], None]] = {
            "remove": lambda s: self.world.engine.delete(f"/services/{s['ID']}"),
            "roll back": self._roll_back,
            "scale": lambda s: self._update(s, self._rescale),
            "image": lambda s: self._update(s, lambda spec: _container(spec).update(Image=self.chance.choice(GOOD))),
            "environment": lambda s: self._update(s, lambda spec: _container(spec).update(Env=["BY_HAND=yes"])),
            "no labels": lambda s: self._update(s, lambda spec: spec.update(Labels={})),
            "another owner": lambda s: self._update(s, self._relabel),
            "another host": lambda s: self._update(s, self._reroute),
            "force": lambda s: self._update(s, lambda spec: spec["TaskTemplate"].update(ForceUpdate=self._number())),
            "kill a task": self._kill,
            "take the edge off": self._disconnect,
            "remove the network": self._remove_network,
        }
        if len(self.world.engine.get("/nodes")) > 1:
            hands["drain a node"] = lambda _service: self._drain()
        kind = self.chance.choice(sorted(hands))
        refused = ""
        try:
            hands[kind](service)
        except EngineApiError as error:
            refused = f", refused: {error}"[:120]
        return f"by hand: {kind} {service['Spec']['Name']}{refused}"

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _update(self, service: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> None:
        change(service["Spec"])
        path = f"/services/{service['ID']}/update"
        self.world.engine.post(path, service["Spec"], version=service["Version"]["Index"])

    def _roll_back(self, service: dict[str, Any]) -> None:
        path = f"/services/{service['ID']}/update"
        self.world.engine.post(path, service["Spec"], version=service["Version"]["Index"], rollback="previous")

    def _rescale(self, spec: dict[str, Any]) -> None:
        spec["Mode"]["Replicated"]["Replicas"] = self.chance.choice((0, 1, 3))

    def _relabel(self, spec: dict[str, Any]) -> None:
        """As if it were somebody else's."""
        row = self._any()
        spec["Labels"][labels.OWNER] = labels.owner_key("environment", str(row["id"]))

    def _reroute(self, spec: dict[str, Any]) -> None:
        for label in [label for label in spec["Labels"] if label.endswith(".rule")]:
            spec["Labels"][label] = f"Host(`{self._host()}`)"

    def _kill(self, service: dict[str, Any]) -> None:
        filters = {"label": [f"com.docker.swarm.service.id={service['ID']}"]}
        for container in self.world.engine.get("/containers/json", filters=filters)[:1]:
            self.world.engine.post(f"/containers/{container['Id']}/kill")

    def _disconnect(self, service: dict[str, Any]) -> None:
        if self.chaos.has_edge:
            for attachment in service["Spec"]["TaskTemplate"].get("Networks") or ():
                with contextlib.suppress(LookupError):
                    body = {"Container": self.world.edge_container(), "Force": True}
                    self.world.engine.post(f"/networks/{attachment['Target']}/disconnect", body)

    def _remove_network(self, service: dict[str, Any]) -> None:
        for attachment in service["Spec"]["TaskTemplate"].get("Networks") or ():
            self.world.engine.delete(f"/networks/{attachment['Target']}")

    def _drain(self) -> None:
        """And have the others take tasks again."""
        self._make_active()
        self._make(self.chance.choice(self._nodes()), "drain")

    def _make_active(self) -> None:
        for node in self._nodes():
            self._make(node, "active")

    def _nodes(self) -> list[str]:
        return sorted(str(node["ID"]) for node in self.world.engine.get("/nodes"))

    def _make(self, node: str, availability: str) -> None:
        found = self.world.engine.get(f"/nodes/{node}")
        if found["Spec"]["Availability"] != availability:
            spec = {**found["Spec"], "Availability": availability}
            self.world.engine.post(f"/nodes/{node}/update", spec, version=found["Version"]["Index"])


def _container(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["TaskTemplate"]["ContainerSpec"]
    return found
