"""The documents that the database's snapshot views give, as immutable models with every rule checked again.

A row may be written by anybody with SQL, so nothing is taken on trust here. Field names are the column
names: a message reads as its writer knows it. Fields that a newer database adds are left alone; a nested
document that people write by hand (``healthcheck``) is refused when it has an unknown one.

``Model.model_validate(document)`` raises ``pydantic.ValidationError``; ``describe`` and ``InvalidSpec.of``
make it readable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from specs.fields import (
    Arguments,
    CheckCommand,
    CheckedPort,
    Command,
    Cores,
    ExtraHosts,
    Files,
    Flag,
    GraceSeconds,
    Hostname,
    Image,
    Mebibytes,
    NetworkPrefix,
    OpenFiles,
    Pids,
    Port,
    PositiveSeconds,
    ProcessType,
    RegistryHost,
    RegistryUser,
    ReleaseVersion,
    Replicas,
    RequestPath,
    Retries,
    RunAs,
    Seconds,
    Slug,
    StopSignal,
    Sysctls,
    TmpfsPaths,
)
from specs.images import parse_image
from specs.problems import InvalidSpec, Problem, describe, problems_of, quote
from specs.registries import registry_of
from specs.releases import overlaid
from specs.run_rules import covered

__all__ = [
    "AppReference",
    "ConfigSnapshot",
    "DomainSnapshot",
    "EnvironmentSnapshot",
    "HealthcheckSnapshot",
    "ImageSnapshot",
    "InvalidSpec",
    "OrganizationReference",
    "OrganizationSnapshot",
    "PlanSnapshot",
    "Problem",
    "ProcessSnapshot",
    "RegistryReference",
    "RegistrySnapshot",
    "Resources",
    "describe",
]

IMPLICIT_PROCESS = "web"
DEFAULT_PIDS = 256
PROCESSES = 100
DOMAINS = 500


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Document(_Part):
    @model_validator(mode="wrap")
    @classmethod
    def _name_the_fields(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Problems and the whole document are both at hand only here, so list entries are named here."""
        document = cls._prepared(value)
        try:
            return handler(document)
        except ValidationError as error:
            raise InvalidSpec(problems_of(error, model=cls, document=document)) from None

    @classmethod
    def _prepared(cls, value: Any) -> Any:
        """The document as it is read."""
        return value


class RequestSnapshot(_Part):
    """What a task is asked for by HTTP; without a port, on the process's."""

    model_config = ConfigDict(extra="forbid")

    path: RequestPath = "/"
    port: Port | None = None


class HealthcheckSnapshot(_Part):
    """How the engine asks a task whether it is well, times in seconds. Disabled: it does not, nor by the image.

    By one of: a command, a request that is answered with 2xx or 3xx, a connection (``True``: to the process's port).
    """

    model_config = ConfigDict(extra="forbid")

    disabled: Flag = False
    command: CheckCommand | None = None
    http: RequestSnapshot | None = None
    tcp: CheckedPort | None = None
    interval_seconds: PositiveSeconds = 10
    timeout_seconds: PositiveSeconds = 5
    retries: Retries = 3
    start_period_seconds: Seconds = 0
    start_interval_seconds: PositiveSeconds | None = None
    """Between two checks within the start period; None: as always."""

    @property
    def by_helper(self) -> bool:
        """Whether a program of ours asks, and nothing of the image."""
        return self.http is not None or self.tcp is not None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        ways = [name for name in ("command", "http", "tcp") if getattr(self, name) is not None]
        if not self.disabled and not ways:
            raise InvalidSpec([Problem("command", None, "is required", "or http, or tcp", ("command",))])
        if len(ways) > 1:
            raise InvalidSpec([Problem(ways[1], None, f"stands beside {ways[0]}", "leave one of them out", (ways[1],))])
        if self.disabled and len(self.model_fields_set) > 1:
            hint = 'write {"disabled": true} and nothing else'
            raise InvalidSpec([Problem("disabled", None, "turns every check off", hint, ("disabled",))])
        return self


class UlimitsSnapshot(_Part):
    """Limits of each process of a task; None: as for everybody."""

    model_config = ConfigDict(extra="forbid")

    nofile: OpenFiles | None = None
    memlock_mb: Mebibytes | None = None


class PlanSnapshot(_Part):
    """Quotas of a plan: cores, MiB, processes."""

    id: UUID
    name: str
    cpu_limit: Cores
    memory_mb: Mebibytes
    pids_limit: Pids = DEFAULT_PIDS


class OrganizationReference(_Part):
    """The organization that an environment belongs to."""

    id: UUID
    slug: Slug


class AppReference(_Part):
    """The app that an environment belongs to."""

    id: UUID
    slug: Slug


class ConfigSnapshot(_Part):
    """What is set for an environment, by its versions: no value, and no ciphertext.

    ``digest`` is another one with every change of a name or a value; ``variables`` is the number of all, and ``files``
    are the names of those that are given as files.
    """

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    variables: int = 0
    files: tuple[str, ...] = ()


class ImageSnapshot(_Part):
    """What was found out of an image; see ``reconcilers.images.ImageFacts``. ``reference`` is what was asked for."""

    reference: str
    pinned: Image
    architecture: str
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    healthcheck: dict[str, Any] | None = None
    shell: tuple[str, ...] = ("/bin/sh", "-c")


class RegistryReference(_Part):
    """A registry that the organization has a user for; ``revision`` is another one with each password."""

    registry: str
    id: UUID
    revision: UUID


class ReleaseSnapshot(_Part):
    """The newest release of an environment; ``deployed``: all tasks have run it."""

    version: ReleaseVersion
    digest: str | None = None
    deployed: bool = False


class PinnedSnapshot(_Part):
    """The release that runs instead of what is declared; what it has is in the document's own fields."""

    version: ReleaseVersion


class LeftOutSnapshot(_Part):
    """A process that is declared and is no part of the release that runs."""

    id: UUID
    type: ProcessType
    generation: int = 0


class ProcessSnapshot(_Part):
    """One process type of an environment; None: see ``EnvironmentSnapshot.effective_processes``.

    One that is not ``declared`` has no row: an older release has it, which runs.
    """

    id: UUID
    type: ProcessType
    command: Command = None
    args: Arguments = None
    instances: Replicas = 1
    port: Port | None = None
    healthcheck: HealthcheckSnapshot | None = None
    stop_grace_seconds: GraceSeconds | None = None
    stop_signal: StopSignal | None = None
    generation: int = 0
    declared: bool = True


class DomainSnapshot(_Part):
    """A host name and the process type that answers on it."""

    id: UUID
    hostname: Hostname
    process_type: ProcessType = IMPLICIT_PROCESS
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits of each task: cores, MiB (None: not limited by plan or environment), number of processes."""

    cpu_cores: Decimal | None
    memory_mb: int | None
    pids: int


class OrganizationSnapshot(_Document):
    """An organization that uses the PaaS."""

    id: UUID
    slug: Slug
    name: str
    suspended: Flag = False
    network_prefix: NetworkPrefix = 24
    policies: tuple[str, ...] = ()
    suspended_hosts: tuple[Hostname, ...] = ()
    """Host names of what is suspended of it, whoever suspended it."""
    resuming_hosts: tuple[Hostname, ...] = ()
    """Those of what is not, and not ready either, as far as it is not given up."""

    def unsupported(self) -> Iterator[Problem]:
        """What is declared for it and would have no effect."""
        for table in self.policies:
            yield Problem(table, None, "has no effect yet", f"delete the organization's row of {table}")


class RegistrySnapshot(_Document):
    """A registry, and who asks it; ``sealed``: whether a password is set."""

    id: UUID
    organization: OrganizationReference
    registry: RegistryHost
    username: RegistryUser
    revision: UUID
    sealed: bool


class EnvironmentSnapshot(_Document):
    """An environment with all that decides what runs: its parents' names, plan, processes and domains."""

    id: UUID
    name: Slug
    swarm_name: Annotated[str, Field(min_length=1)]
    suspended: Flag = False
    organization: OrganizationReference
    app: AppReference
    deploy_mode: Literal["image", "buildpack"] = "image"
    image_ref: Image | None = None
    entrypoint: Command = None
    cmd: Arguments = None
    instances: Replicas = 1
    cpu_limit: Cores | None = None
    memory_mb: Mebibytes | None = None
    port: Port | None = None
    ports: tuple[Any, ...] = ()
    volumes: tuple[Any, ...] = ()
    healthcheck: HealthcheckSnapshot | None = None
    stop_grace_seconds: GraceSeconds = 10
    stop_signal: StopSignal | None = None
    read_only_root: Flag = True
    init: Flag = True
    tmpfs_paths: TmpfsPaths = ("/tmp",)  # noqa: S108 - a path in the container
    run_as: RunAs | None = None
    ulimits: UlimitsSnapshot | None = None
    sysctls: Sysctls | None = None
    extra_hosts: ExtraHosts | None = None
    files: Files | None = None
    region: Slug | None = None
    pool: Slug | None = None
    spread: Slug | None = None
    config: ConfigSnapshot | None = None
    resolved: ImageSnapshot | None = None
    registries: tuple[RegistryReference, ...] | None = None
    plan: PlanSnapshot | None = None
    processes: tuple[ProcessSnapshot, ...] = ()
    domains: tuple[DomainSnapshot, ...] = ()
    release: ReleaseSnapshot | None = None
    pinned: PinnedSnapshot | None = None
    left_out: tuple[LeftOutSnapshot, ...] = ()

    @classmethod
    def _prepared(cls, value: Any) -> Any:
        return overlaid(value) if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        problems = list(self._disagreements())
        if problems:
            raise InvalidSpec(problems)
        return self

    def unsupported(self) -> Iterator[Problem]:
        """What is declared and would have no effect."""
        for field in ("ports", "volumes"):
            if value := getattr(self, field):
                yield Problem(field, value, "has no effect yet", "set it to []")

    def overruled(self) -> str:
        """What is declared and its processes say in its place; empty when nothing is."""
        if self.pinned is not None:
            return (
                f"it has the content of release {self.pinned.version}: what else is declared as image, config vars, "
                "processes and settings has no effect until release is cleared"
            )
        if not self.processes or self.instances == 1:
            return ""
        types = ", ".join(process.type for process in self.processes)
        return f"replicas of the environment ({self.instances}) has no effect, say it at its processes: {types}"

    def effective_processes(self) -> tuple[ProcessSnapshot, ...]:
        """What should run: the process rows, or one ``web`` made of the environment's own columns.

        A process without a command of its own runs the environment's, and with it the environment's
        arguments when it has none. Only ``web`` takes the environment's port and health check, which are
        about answering requests; all take its stop grace period and signal. The implicit process has the environment's
        id.
        """
        if not self.processes:
            return (ProcessSnapshot.model_construct(id=self.id, type=IMPLICIT_PROCESS, **self._inherited()),)
        return tuple(self._completed(process) for process in self.processes)

    @property
    def resources(self) -> Resources:
        """Limits of each task: the environment's own, else the plan's."""
        plan = self.plan
        return Resources(
            cpu_cores=self.cpu_limit if self.cpu_limit is not None or plan is None else plan.cpu_limit,
            memory_mb=self.memory_mb if self.memory_mb is not None or plan is None else plan.memory_mb,
            pids=plan.pids_limit if plan else DEFAULT_PIDS,
        )

    @property
    def login(self) -> RegistryReference | None:
        """The user that its image is asked for with; None: anybody."""
        if not self.registries or self.image_ref is None:
            return None
        wanted = registry_of(parse_image(self.image_ref).domain)
        return next((each for each in self.registries if registry_of(each.registry) == wanted), None)

    def _inherited(self) -> dict[str, Any]:
        return {
            "command": self.entrypoint,
            "args": self.cmd,
            "instances": self.instances,
            "port": self.port,
            "healthcheck": self.healthcheck,
            "stop_grace_seconds": self.stop_grace_seconds,
            "stop_signal": self.stop_signal,
        }

    def _completed(self, process: ProcessSnapshot) -> ProcessSnapshot:
        changes: dict[str, Any] = {}
        if process.command is None:
            changes["command"] = self.entrypoint
            if process.args is None:
                changes["args"] = self.cmd
        if process.type == IMPLICIT_PROCESS:
            changes["port"] = self.port if process.port is None else process.port
            changes["healthcheck"] = process.healthcheck or self.healthcheck
        if process.stop_grace_seconds is None:
            changes["stop_grace_seconds"] = self.stop_grace_seconds
        if process.stop_signal is None:
            changes["stop_signal"] = self.stop_signal
        return process.model_copy(update=changes)

    def _disagreements(self) -> Iterator[Problem]:
        """Rules that need more than one field."""
        if self.deploy_mode == "image" and self.image_ref is None:
            yield Problem(
                "image_ref",
                None,
                "is required when deploy_mode is 'image'",
                "set an image",
                ("image_ref",),
            )
        for field, limit in (("processes", PROCESSES), ("domains", DOMAINS)):
            if len(getattr(self, field)) > limit:
                yield Problem(field, None, f"has more than {limit}", "use more environments", (field,))
        yield from covered(self.files or (), self.tmpfs_paths)
        yield from self._domain_problems()

    @property
    def _in_release(self) -> str:
        return f" in release {self.pinned.version}, which runs" if self.pinned is not None else ""

    def _domain_problems(self) -> Iterator[Problem]:
        if not self.domains:
            return
        ports = {process.type: process.port for process in self.processes} or {IMPLICIT_PROCESS: self.port}
        if IMPLICIT_PROCESS in ports:
            ports[IMPLICIT_PROCESS] = ports[IMPLICIT_PROCESS] or self.port
        portless: dict[str, str] = {}
        for index, domain in enumerate(self.domains):
            if domain.process_type not in ports:
                yield Problem(
                    f"domains[{domain.hostname}].process_type",
                    domain.process_type,
                    f"{quote(domain.process_type)} is not a process of this environment{self._in_release}",
                    f"one of: {', '.join(ports)}",
                    ("domains", index, "process_type"),
                )
            elif ports[domain.process_type] is None:
                portless.setdefault(domain.process_type, domain.hostname)
        for process, hostname in portless.items():
            row = next((index for index, row in enumerate(self.processes) if row.type == process), None)
            yield Problem(
                "port" if row is None else f"processes[{process}].port",
                None,
                f"is required: the domain {hostname} sends requests to it",
                "set the port that the program listens on, such as 8080",
                ("port",) if row is None else ("processes", row, "port"),
            )
