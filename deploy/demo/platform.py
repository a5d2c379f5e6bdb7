"""What the controller stands on: a private Swarm with an edge, and a PostgreSQL with the accounts that the examples
need. Each part finds what is already there, so a second run takes seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from deploy import engine, firewall, postgres, traefik
from deploy.demo.errors import DemoError
from deploy.demo.paths import DemoPaths, free_port
from deploy.engine import Lab
from deploy.engine.forward import Forward
from deploy.postgres import Server
from deploy.postgres.cluster import SUPERUSER
from specs.kinds.organization import Organization
from specs.loader import Located, SpecFilesError, load

IMAGES = ("web", "redis", "pause", "traefik", "socket-proxy")
EDGE_PORT = 80


@dataclass(frozen=True, slots=True)
class Edge:
    """A Swarm with an edge; `http_port` of this machine leads to it."""

    lab: Lab
    http_port: int

    @property
    def engine(self) -> str:
        """The engine's version, for people."""
        version = self.lab.api().get("/version")
        return f"Docker Engine {version['Version']}, API {version['ApiVersion']}"


def bring_up_engine(paths: DemoPaths, wanted_port: int) -> Edge:
    """The Swarm, its images, what keeps containers away from its node, the edge.

    Raises:
        LabError: a part does not come up.
        DemoError: there is no free port.
    """
    port = _present_port(paths) or free_port(wanted_port, "the edge")
    lab = engine.up(paths.name, images=IMAGES, forwards=[f"{port}:{EDGE_PORT}"])
    firewall.apply(lab)
    traefik.deploy(lab.api(), port=EDGE_PORT)
    return Edge(lab, port)


def bring_up_database(paths: DemoPaths) -> Server:
    """The database server, with its roles; its database may be empty or of an older schema.

    Raises:
        PostgresError: it does not come up.
    """
    return postgres.ensure(paths.name)


def read_examples(path: Path) -> list[Located]:
    """The resources of the examples.

    Raises:
        DemoError: a file is wrong; the message has every problem.
    """
    try:
        return load([str(path)])
    except SpecFilesError as error:
        raise DemoError(f"the examples cannot be read:\n{error}") from error


def add_owners(server: Server, examples: list[Located]) -> list[str]:
    """Make the accounts that the organizations name as owners, as the panel does when people sign up."""
    organizations = [e.resource for e in examples if isinstance(e.resource, Organization)]
    owners = sorted({o.spec.owner for o in organizations if o.spec.owner})
    for owner in owners:
        ask(server, "add_owner", email=owner, name=owner.partition("@")[0])
    return owners


def add_operator(server: Server) -> None:
    """Make the login for people, after the schema: it may declare and read, and no more."""
    ask(server, "add_operator", role=SUPERUSER)


def ask(server: Server, statement: str, *, role: str = "panel", **values: object) -> list[dict[str, Any]]:
    """Run one of this package's statements; its rows.

    Raises:
        DemoError: the database does not answer, or refuses.
    """
    text = (Path(__file__).parent / "sql" / f"{statement}.sql").read_bytes()
    try:
        with psycopg.connect(server.dsn_for(role), autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(text, values or None)
            return cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        raise DemoError(
            f"the database of the demo ({server.socket_dir}): {error} (`make demo-down`, then `make demo`, begins anew)"
        ) from error


def _present_port(paths: DemoPaths) -> int | None:
    """The port of a demo that is already up, whatever is asked for now: its user has it in the browser."""
    lab = engine.find(paths.name)
    forwards = [Forward.parse(text) for text in lab.description.forwards] if lab else []
    return next((forward.host_port for forward in forwards if forward.node_port == EDGE_PORT), None)
