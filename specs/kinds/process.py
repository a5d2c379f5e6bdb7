"""Process: one process type of an environment (web, worker, ...), from the environment's image."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from specs.binding import Column, TableBinding, listed
from specs.facts import KindFacts, spec
from specs.fields import (
    Arguments,
    Command,
    DrainPeriod,
    GracePeriod,
    Port,
    ProcessType,
    Replicas,
    RestartPolicy,
    RestartToken,
    Slug,
    StopSignal,
)
from specs.kinds.environment import DRAIN, HEALTHCHECK, RESTART_TOKEN, STOP_GRACE, HealthcheckOrNone
from specs.permits import MEMBER, WORK
from specs.resource import RENAMED_FROM, Metadata, Resource, Spec


class ProcessMetadata(Metadata):
    """The name is the process type, unique in its environment."""

    name: ProcessType = Field(description="Process type, such as web or worker; release is a command.")
    renamed_from: ProcessType | None = Field(None, description=RENAMED_FROM)
    environment: Slug = Field(description="Name of the environment.")
    app: Slug = Field(description="Slug of the app.")
    organization: Slug = Field(description="Slug of the organization.")


class ProcessSpec(Spec):
    """What runs; what is left out comes from the environment (port and health check for ``web`` only).

    Of ``release``, what is run once before each new release; it has no replicas, port, health check and drain.
    """

    command: Command = Field(None, description="Program instead of the environment's.")
    args: Arguments = Field(None, description="Arguments instead of the environment's.")
    replicas: Replicas = Field(1, description="Tasks of the process.")
    port: Port | None = Field(None, description="Port that it listens on, given to it as PORT; needed with a domain.")
    healthcheck: HealthcheckOrNone = Field(
        None, description="Health check of the process; none: not even the image's own."
    )
    stop_grace_period: GracePeriod | None = Field(None, description="Time between SIGTERM and SIGKILL; whole seconds.")
    drain: DrainPeriod | None = Field(
        None, description="Time that a task serves on for when it is to stop, instead of the environment's; 0s: none."
    )
    stop_signal: StopSignal | None = Field(None, description="Signal that asks to stop instead of the environment's.")
    restart: RestartPolicy | None = Field(
        None, description="When a task whose program ended is started again, instead of the environment's."
    )
    restart_token: RestartToken | None = Field(
        None, description="Another one replaces the tasks of this process; left out: as it is."
    )


class Process(Resource):
    """One process type of an environment."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="paas_processes",
        key_column="type",
        columns={
            "command": Column("command", to_db=listed),
            "args": Column("args", to_db=listed),
            "replicas": Column("instances"),
            "port": Column("port"),
            "healthcheck": HEALTHCHECK,
            "stop_grace_period": STOP_GRACE,
            "drain": DRAIN,
            "stop_signal": Column("stop_signal"),
            "restart": Column("restart"),
            "restart_token": RESTART_TOKEN,
        },
        parent="Environment",
        parent_column="environment_id",
        deleted_in="paas_processes",
    )
    facts: ClassVar[KindFacts] = KindFacts(
        example_name="worker",
        example={"args": ["python", "worker.py"], "replicas": 2},
        short=("proc", "ps"),
        part=True,
        permits={**WORK, "scale": MEMBER, "restart": MEMBER},
        changed_by={"replicas": "scale", "restartToken": "restart"},
        columns={"REPLICAS": spec("replicas"), "PORT": spec("port")},
    )

    kind: Literal["Process"] = "Process"
    metadata: ProcessMetadata
    spec: ProcessSpec = Field(default_factory=ProcessSpec)
