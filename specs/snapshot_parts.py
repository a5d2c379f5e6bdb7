"""What the documents of ``specs.snapshots`` are made of: each part by itself, with the rules that need no other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from specs.fields import (
    Arguments,
    CheckCommand,
    CheckedPort,
    Command,
    Cores,
    DrainSeconds,
    FirstTasks,
    Flag,
    GraceSeconds,
    Hostname,
    Image,
    Mebibytes,
    OpenFiles,
    Percent,
    Pids,
    Port,
    PositiveSeconds,
    ProcessType,
    QuietSeconds,
    ReleaseVersion,
    Replicas,
    RequestPath,
    RestartPolicy,
    RestartToken,
    Retries,
    Seconds,
    Slug,
    StopSignal,
)
from specs.problems import InvalidSpec, Problem

IMPLICIT_PROCESS = "web"
ON_FAILURE = "on-failure"
DEFAULT_PIDS = 256


class Part(BaseModel):
    """A part of a document. What a newer database adds to it is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class RequestSnapshot(Part):
    """What a task is asked for by HTTP; without a port, on the process's."""

    model_config = ConfigDict(extra="forbid")

    path: RequestPath = "/"
    port: Port | None = None


class HealthcheckSnapshot(Part):
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
    def longest_seconds(self) -> float:
        """How long it may take after a task's start until it has passed or failed."""
        return self.start_period_seconds + self.retries * (self.interval_seconds + self.timeout_seconds)

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


PORT_CHECK = HealthcheckSnapshot(
    tcp=True, interval_seconds=30, timeout_seconds=5, retries=3, start_period_seconds=60, start_interval_seconds=0.5
)
"""Of a process with a port and without a check: a task that does not listen yet loses the requests that it is given.
It is asked often until it listens, and then seldom, as each time starts a program. Releases have the mark alone: other
numbers would restart what runs, and need a mark of their own."""
HELPED = ("amd64", "arm64")
"""Architectures that there are programs of ours for."""


class UlimitsSnapshot(Part):
    """Limits of each process of a task; None: as for everybody."""

    model_config = ConfigDict(extra="forbid")

    nofile: OpenFiles | None = None
    memlock_mb: Mebibytes | None = None


class CanarySnapshot(Part):
    """How many tasks of each process, or what share of them in percent, run for how many seconds before the others."""

    model_config = ConfigDict(extra="forbid")

    tasks: FirstTasks | None = None
    share: Percent | None = None
    quiet_seconds: QuietSeconds = 300

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if (self.tasks is None) == (self.share is None):
            raise InvalidSpec([Problem("tasks", None, "is required", "or share, and not both", ("tasks",))])
        return self

    def first_of(self, tasks: int) -> int:
        """How many of so many go first, at least one."""
        return self.tasks if self.tasks is not None else -(-tasks * (self.share or 0) // 100)


class PlanSnapshot(Part):
    """Quotas of a plan: cores, MiB, processes."""

    id: UUID
    name: str
    cpu_limit: Cores
    memory_mb: Mebibytes
    pids_limit: Pids = DEFAULT_PIDS


class OrganizationReference(Part):
    """The organization that an environment belongs to."""

    id: UUID
    slug: Slug


class AppReference(Part):
    """The app that an environment belongs to."""

    id: UUID
    slug: Slug


class ConfigSnapshot(Part):
    """What is set for an environment, by its versions: no value, and no ciphertext.

    ``digest`` is another one with every change of a name or a value; ``variables`` is the number of all, and ``files``
    are the names of those that are given as files.
    """

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    variables: int = 0
    files: tuple[str, ...] = ()


class ImageSnapshot(Part):
    """What was found out of an image; see ``reconcilers.images.ImageFacts``. ``reference`` is what was asked for."""

    reference: str
    pinned: Image
    architecture: str
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    healthcheck: dict[str, Any] | None = None
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    digests: tuple[str, ...] = ()
    stop_signal: str | None = None

    @property
    def digest(self) -> str:
        """By which tasks name it; empty where they name none."""
        return self.pinned.partition("@")[2]

    @property
    def meant(self) -> str:
        """What the reference meant, pinned: the same, or the index that it is of."""
        name, at, digest = self.pinned.partition("@")
        return f"{name}@{self.digests[0] if self.digests else digest}" if at else name

    @property
    def index(self) -> str:
        """Digest of the index that it is of, where it is named by its own; empty otherwise."""
        meant = self.meant.partition("@")[2]
        return meant if meant != self.digest else ""

    @property
    def checks(self) -> bool:
        """Whether it has a check of its own."""
        test: list[str] = (self.healthcheck or {}).get("Test") or []
        return bool(test) and test[0] != "NONE"

    @property
    def takes_helper(self) -> bool:
        """Whether there is a program of ours for its architecture."""
        return self.architecture in HELPED


class FollowedSnapshot(Part):
    """Of a tag that is followed: the content that it meant before it moved, why what it means now is not run, and since
    when that is so. None: it has not moved; nothing is in the way.
    """

    moved_from: Image | None = None
    reason: str | None = None
    message: str | None = None
    since: datetime | None = None


class RegistryReference(Part):
    """A registry that the organization has a user for; ``revision`` is another one with each password."""

    registry: str
    id: UUID
    revision: UUID


class VerdictSnapshot(Part):
    """What image policies say of an image: the newest that was written down.

    ``image`` as tasks name it, as far as that was known; ``policy`` is another one when a policy is, empty: there was
    none; ``reason`` is empty where nothing is wrong; ``signed_by`` has fingerprints of keys that
    were asked for.
    """

    image: str
    policy: str = ""
    verdict: str
    reason: str = ""
    message: str = ""
    signed_by: tuple[str, ...] = ()


class CommandSnapshot(Part):
    """What is on record of a release's command.

    ``tries``: how often it was asked for anew. ``ended_at``: of the last try; None: it has not ended, or never began.
    ``failure``: how that ended badly; None where it ended well.
    """

    tries: int = 0
    ended_at: datetime | None = None
    exit_code: int | None = None
    failure: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it ended well; then it is never run again."""
        return self.ended_at is not None and self.failure is None


class ReleasedImage(Part):
    """The image of a release that may serve while something else is asked for, and all that its content goes by;
    None: that was not written down.
    """

    image: str
    digests: tuple[str, ...] | None = None


class ReleaseSnapshot(Part):
    """The newest release of an environment; ``deployed``: all tasks have run it; ``stop_signal``: what its image was
    known to want to be asked to stop with; ``images``: its own and those of before it, as far as they may serve.
    """

    version: ReleaseVersion
    digest: str | None = None
    deployed: bool = False
    stop_signal: str | None = None
    images: tuple[ReleasedImage, ...] | None = None
    command: CommandSnapshot = CommandSnapshot()


class PinnedSnapshot(Part):
    """The release that runs instead of what is declared; what it has is in the document's own fields."""

    version: ReleaseVersion


class LeftOutSnapshot(Part):
    """A process that is declared and is no part of the release that runs."""

    id: UUID
    type: ProcessType
    generation: int = 0


class ProcessSnapshot(Part):
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
    drain_seconds: DrainSeconds | None = None
    stop_signal: StopSignal | None = None
    restart: RestartPolicy | None = None
    restart_token: RestartToken | None = None
    generation: int = 0
    declared: bool = True

    @property
    def may_end(self) -> bool:
        """Whether a task whose program ended well is done, and not started again."""
        return self.restart == ON_FAILURE

    @property
    def unasked(self) -> bool:
        """Whether it is to answer requests, and nothing declared asks it whether it does."""
        return self.port is not None and self.healthcheck is None


class DomainSnapshot(Part):
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
