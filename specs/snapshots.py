"""The documents that the database's snapshot views give, as immutable models with every rule checked again.

A row may be written by anybody with SQL, so nothing is taken on trust here. Field names are the column
names: a message reads as its writer knows it. Fields that a newer database adds are left alone; a nested
document that people write by hand (``healthcheck``) is refused when it has an unknown one.

``Model.model_validate(document)`` raises ``pydantic.ValidationError``; ``describe`` and ``InvalidSpec.of``
make it readable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from specs.fields import (
    Arguments,
    Armors,
    Command,
    Commit,
    Cores,
    DrainSeconds,
    ExtraHosts,
    Files,
    Flag,
    Folder,
    FollowSeconds,
    GraceSeconds,
    Hostname,
    Image,
    Mebibytes,
    NetworkPrefix,
    Port,
    RegistryHost,
    RegistryUser,
    Replicas,
    RestartPolicy,
    RestartToken,
    Revision,
    RunAs,
    Signers,
    Slug,
    SourceSeconds,
    SourceUrl,
    SourceValues,
    StopSignal,
    Sysctls,
    TmpfsPaths,
)
from specs.image_policies import ImagePolicy
from specs.images import parse_image
from specs.problems import InvalidSpec, Problem, RefusedError, describe, problems_of, quote
from specs.registries import registry_of
from specs.releases import overlaid
from specs.run_rules import covered
from specs.snapshot_parts import (
    DEFAULT_PIDS,
    IMPLICIT_PROCESS,
    ON_FAILURE,
    PORT_CHECK,
    AppReference,
    CanarySnapshot,
    ConfigSnapshot,
    DomainSnapshot,
    FollowedSnapshot,
    HealthcheckSnapshot,
    ImageSnapshot,
    LeftOutSnapshot,
    OrganizationReference,
    Part,
    PinnedSnapshot,
    PlanSnapshot,
    ProcessSnapshot,
    RegistryReference,
    ReleaseSnapshot,
    Resources,
    UlimitsSnapshot,
    VerdictSnapshot,
)

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

RELEASE_PROCESS = "release"
"""The process that is a command: it is run before a new release is, and must end well."""
_OF_SERVICES = ("instances", "port", "healthcheck", "drain_seconds", "restart", "restart_token")
"""Columns of a process that say something of what runs all the time alone."""
PROCESSES = 100
DOMAINS = 500


class _Document(Part):
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


class VerifySnapshot(Part):
    """Who has to have signed a commit; never nobody."""

    model_config = ConfigDict(extra="forbid")

    ssh: Signers = ()
    openpgp: Armors = ()

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.ssh and not self.openpgp:
            raise RefusedError("names nobody", "list keys under ssh or openpgp, or leave verify out")
        return self


class SourceSnapshot(_Document):
    """A source, and which commit of it was declared last.

    Args:
        sealed: whether a password is set.
        identities: version of the age identities; None: none are set.
    """

    id: UUID
    name: Slug
    organization: OrganizationReference
    repo_url: SourceUrl | None = None
    directory: Folder | None = None
    branch: Revision = "main"
    tag: Revision | None = None
    commit: Commit | None = None
    path: Folder = "."
    verify: VerifySnapshot | None = None
    overlay: SourceValues | None = None
    interval_seconds: SourceSeconds = 60
    suspended: Flag = False
    username: RegistryUser | None = None
    revision: UUID
    sealed: bool = False
    identities: int | None = None
    generation: int
    applied: str | None = None


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
    drain_seconds: DrainSeconds | None = None
    stop_signal: StopSignal | None = None
    restart: RestartPolicy | None = None
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
    canary: CanarySnapshot | None = None
    follow_seconds: FollowSeconds | None = None
    followed: FollowedSnapshot | None = None
    """None: it never moved, and nothing is in the way."""
    restart_token: RestartToken | None = None
    config: ConfigSnapshot | None = None
    resolved: ImageSnapshot | None = None
    registries: tuple[RegistryReference, ...] | None = None
    image_policy: ImagePolicy | None = None
    """Its organization's."""
    verdict: VerdictSnapshot | None = None
    stopped_images: tuple[str, ...] | None = None
    """Those that an image policy had stopped when they were judged last, as tasks name them."""
    plan: PlanSnapshot | None = None
    processes: tuple[ProcessSnapshot, ...] = ()
    domains: tuple[DomainSnapshot, ...] = ()
    release: ReleaseSnapshot | None = None
    pinned: PinnedSnapshot | None = None
    left_out: tuple[LeftOutSnapshot, ...] = ()
    by_tag: Flag = False
    """Whether its tasks name the image as it is declared, as they did before images were named by their content."""
    port_check: Flag = False
    """Whether a process with a port is asked whether it listens, where neither it nor the image has a check. Part of a
    release: those of before do not have it, and what runs them is not restarted for it."""
    start_deadline: Flag = False
    """Whether the controller ends what is never healthy, and not the engine; see ``reconcilers.patience``. Part of a
    release, as ``port_check`` is."""
    withheld: Flag = False
    """Whether an image policy has all its tasks stopped."""
    of_run: UUID | None = None
    """The run whose documents are made of it; None: its own are."""

    @classmethod
    def _prepared(cls, value: Any) -> Any:
        return overlaid(value) if isinstance(value, Mapping) else value

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """See ``BaseModel``; what was worked out of the fields is worked out anew."""
        found = super().model_copy(update=update, deep=deep)
        for name in found.__dict__.keys() - type(self).model_fields.keys():
            del found.__dict__[name]
        return found

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
        for index, row in enumerate(self.processes):
            if row.type != RELEASE_PROCESS:
                continue
            for field in _OF_SERVICES:
                if getattr(row, field) != ProcessSnapshot.model_fields[field].default:
                    name = f"processes[{RELEASE_PROCESS}].{field}"
                    told = "has no effect: release is a command, which is run before each new release"
                    yield Problem(name, None, told, "leave it out", ("processes", index, field))

    def overruled(self) -> str:
        """What is declared and its processes say in its place; empty when nothing is."""
        if self.pinned is not None:
            return (
                f"it has the content of release {self.pinned.version}: what else is declared as image, config vars, "
                "processes and settings has no effect until release is cleared"
            )
        if not self._serving or self.instances == 1:
            return ""
        types = ", ".join(process.type for process in self._serving)
        return f"replicas of the environment ({self.instances}) has no effect, say it at its processes: {types}"

    def effective_processes(self) -> tuple[ProcessSnapshot, ...]:
        """What should run all the time: the process rows, or one ``web`` made of the environment's own columns.

        A process without a command of its own runs the environment's, and with it the environment's
        arguments when it has none. Only ``web`` takes the environment's port and health check, which are
        about answering requests; all take its time to drain, stop grace period and signal. The implicit process has
        the environment's id.
        """
        return self._effective

    def own_processes(self) -> tuple[ProcessSnapshot, ...]:
        """As ``effective_processes``, with no other check than what is declared.

        What may end is asked by none, nor by the image's own: a task that is stopped as its check fails can end with 0.
        """
        return self._own

    @cached_property
    def _effective(self) -> tuple[ProcessSnapshot, ...]:
        return tuple(self._asked(process) for process in self._own)

    @cached_property
    def _own(self) -> tuple[ProcessSnapshot, ...]:
        off = {"healthcheck": HealthcheckSnapshot(disabled=True)}
        return tuple(each.model_copy(update=off) if each.may_end else each for each in self._as_declared)

    @cached_property
    def _as_declared(self) -> tuple[ProcessSnapshot, ...]:
        if not self._serving:
            return (ProcessSnapshot.model_construct(id=self.id, type=IMPLICIT_PROCESS, **self._inherited()),)
        return tuple(self._completed(process) for process in self._serving)

    @property
    def release_command(self) -> ProcessSnapshot | None:
        """What is to be run before a new release is; no check asks it whether it is well, the image's own neither."""
        found = next((process for process in self.processes if process.type == RELEASE_PROCESS), None)
        if found is None:
            return None
        alone = {"healthcheck": HealthcheckSnapshot(disabled=True), "drain_seconds": None}
        return self._completed(found).model_copy(update=alone)

    @cached_property
    def _serving(self) -> tuple[ProcessSnapshot, ...]:
        """Rows of what runs all the time."""
        return tuple(process for process in self.processes if process.type != RELEASE_PROCESS)

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

    def _asked(self, process: ProcessSnapshot) -> ProcessSnapshot:
        """``process``, asked whether it listens where nothing else asks it; not every image takes our program."""
        image = self.resolved
        if not self.port_check or not process.unasked or (image and (image.checks or not image.takes_helper)):
            return process
        return process.model_copy(update={"healthcheck": PORT_CHECK})

    def _inherited(self) -> dict[str, Any]:
        return {
            "command": self.entrypoint,
            "args": self.cmd,
            "instances": self.instances,
            "port": self.port,
            "healthcheck": self.healthcheck,
            "stop_grace_seconds": self.stop_grace_seconds,
            "drain_seconds": self.drain_seconds,
            "stop_signal": self.stop_signal,
            "restart": self.restart,
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
        if process.drain_seconds is None:
            changes["drain_seconds"] = self.drain_seconds
        if process.stop_signal is None:
            changes["stop_signal"] = self.stop_signal
        if process.restart is None:
            changes["restart"] = self.restart
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
        yield from self._command_problems()
        yield from self._ending_problems()
        yield from self._domain_problems()

    def _command_problems(self) -> Iterator[Problem]:
        for index, row in enumerate(self.processes):
            if row.type == RELEASE_PROCESS and row.command is None and row.args is None:
                hint = 'set what is run before each new release, such as ["bin/migrate"], or arguments for the image'
                where = f"processes[{RELEASE_PROCESS}].command"
                yield Problem(where, None, "is required: it must end", hint, ("processes", index, "command"))

    def _ending_problems(self) -> Iterator[Problem]:
        for process in self._as_declared:
            asked = process.healthcheck is not None and not process.healthcheck.disabled
            if process.may_end and (asked or process.port is not None):
                index = next((n for n, row in enumerate(self.processes) if row.type == process.type), None)
                where = "restart" if index is None else f"processes[{process.type}].restart"
                said = "on-failure is for what has neither a port nor a health check"
                hint = f"set restart of {process.type} to always: what answers requests is always started again"
                place: tuple[str | int, ...] = ("restart",) if index is None else ("processes", index, "restart")
                yield Problem(where, ON_FAILURE, said, hint, place)

    @property
    def _in_release(self) -> str:
        return f" in release {self.pinned.version}, which runs" if self.pinned is not None else ""

    def _domain_problems(self) -> Iterator[Problem]:
        if not self.domains:
            return
        ports = {process.type: process.port for process in self._serving} or {IMPLICIT_PROCESS: self.port}
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
