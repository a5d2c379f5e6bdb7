"""Environment: one running copy of an app, from one image, with its size and its place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from specs.binding import Column, Reference, TableBinding, listed
from specs.facts import KindFacts, generation, image, spec, tasks
from specs.fields import (
    Arguments,
    CheckCommand,
    CheckedPort,
    Command,
    CpuText,
    DrainPeriod,
    Duration,
    ExtraHosts,
    Files,
    FirstTasks,
    Flag,
    FollowInterval,
    GracePeriod,
    Image,
    MemoryText,
    OpenFiles,
    Period,
    Port,
    QuietPeriod,
    ReleaseVersion,
    Replicas,
    RequestPath,
    RestartPolicy,
    RestartToken,
    Retries,
    RunAs,
    Share,
    Slug,
    StopSignal,
    Sysctls,
    TmpfsPaths,
)
from specs.permits import ADMIN, MEMBER
from specs.problems import InvalidSpec, Problem
from specs.resource import RENAMED_FROM, Declared, Metadata, Resource, Spec
from specs.run_rules import covered
from specs.units import DAY_SECONDS, seconds_of


class HttpRequest(Declared):
    """What a task is asked for on 127.0.0.1: an answer of 2xx or 3xx says that it is well."""

    path: RequestPath = Field("/", description="Path, with a query if there is one.")
    port: Port | None = Field(None, description="Port instead of the process's.")


class Healthcheck(Declared):
    """How the engine asks a task whether it is well, in one of three ways; http and tcp need nothing in the image."""

    command: CheckCommand | None = Field(
        None, description='Program and arguments, exit code 0 says yes: ["wget", "-qO-", "http://127.0.0.1:8080/"].'
    )
    http: HttpRequest | None = Field(None, description="Request that is to be answered with 2xx or 3xx.")
    tcp: CheckedPort | None = Field(None, description="Port that takes connections; true: the process's.")
    interval: Period = Field(timedelta(seconds=10), description="Time between two checks.")
    timeout: Period = Field(timedelta(seconds=5), description="Time after which a check has failed.")
    retries: Retries = Field(3, description="Consecutive failures that make the task unhealthy.")
    start_period: Duration = Field(timedelta(0), description="Time after the start in which failures do not count.")
    start_interval: Period | None = Field(None, description="Time between two checks within the start period.")

    @model_validator(mode="after")
    def _in_one_way(self) -> Self:
        ways = [name for name in ("command", "http", "tcp") if getattr(self, name) is not None]
        if not ways:
            raise InvalidSpec([Problem("command", None, "is required", "or http, or tcp", ("command",))])
        if len(ways) > 1:
            raise InvalidSpec([Problem(ways[1], None, f"stands beside {ways[0]}", "leave one of them out", (ways[1],))])
        return self


@dataclass(frozen=True, slots=True)
class _OrNone:
    """A health check, or the word ``none``: no check at all, also not the image's own."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            lambda value, check: value if value == NO_CHECK else check(value),
            handler.generate_schema(Healthcheck | None),
            serialization=core_schema.wrap_serializer_function_ser_schema(
                lambda value, serialize: value if value == NO_CHECK else serialize(value)
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        inner = handler(schema["schema"])
        return {"anyOf": [*inner["anyOf"], {"const": NO_CHECK, "type": "string"}]}


NO_CHECK: Literal["none"] = "none"
HealthcheckOrNone = Annotated[Healthcheck | Literal["none"] | None, _OrNone()]


def _check_to_db(check: Healthcheck | Literal["none"]) -> dict[str, Any]:
    """The JSON document of the ``healthcheck`` columns; times in seconds."""
    if isinstance(check, str):
        return {"disabled": True}
    way: dict[str, Any] = {"tcp": check.tcp}
    if check.command is not None:
        way = {"command": list(check.command)}
    elif check.http is not None:
        way = {"http": check.http.model_dump(exclude_none=True, by_alias=False)}
    if check.start_interval is not None:
        way["start_interval_seconds"] = seconds_of(check.start_interval)
    return {
        **way,
        "interval_seconds": seconds_of(check.interval),
        "timeout_seconds": seconds_of(check.timeout),
        "retries": check.retries,
        "start_period_seconds": seconds_of(check.start_period),
    }


def _check_from_db(document: Any) -> Any:
    """The fields that the JSON document of a ``healthcheck`` column stands for; what cannot be one is left as it is."""
    if not isinstance(document, dict):
        return document
    if len(document) == 1 and document.get("disabled") is True:
        return NO_CHECK
    fields = dict(document)
    for name in ("interval", "timeout", "start_period", "start_interval"):
        if isinstance(seconds := fields.pop(f"{name}_seconds", None), int | float):
            fields[name] = timedelta(seconds=seconds) if 0 <= seconds <= DAY_SECONDS else seconds
    return fields


class Ulimits(Declared):
    """Limits of each process of a task; what is left out is as for everybody."""

    nofile: OpenFiles | None = Field(None, description="Open files.")
    memlock: MemoryText | None = Field(None, description='Memory that it may lock: "64Mi".')


def _ulimits_to_db(limits: Ulimits) -> dict[str, Any] | None:
    """The JSON document of ``ulimits``; memory in MiB."""
    found = {"nofile": limits.nofile, "memlock_mb": limits.memlock}
    return {name: value for name, value in found.items() if value is not None} or None


def _ulimits_from_db(document: Any) -> Any:
    """The fields that the JSON document of ``ulimits`` stands for; what cannot be one is left as it is."""
    if not isinstance(document, dict):
        return document
    fields = dict(document)
    if isinstance(mebibytes := fields.pop("memlock_mb", None), int):
        fields["memlock"] = f"{mebibytes}Mi"
    return fields


class Canary(Declared):
    """How many tasks of a new version run before the others follow; to what ran before when one of them ends."""

    tasks: FirstTasks | None = Field(None, description="Tasks of each process that go first.")
    share: Share | None = Field(None, description='Share of the tasks of each process instead: "20%".')
    quiet: QuietPeriod = Field(
        timedelta(minutes=5), description="Time that these have to run without an end, before the others follow."
    )

    @model_validator(mode="after")
    def _so_many(self) -> Self:
        if self.tasks is None and self.share is None:
            raise InvalidSpec([Problem("tasks", None, "is required", "or share", ("tasks",))])
        if self.tasks is not None and self.share is not None:
            raise InvalidSpec([Problem("share", None, "stands beside tasks", "leave one of them out", ("share",))])
        return self


def _canary_to_db(canary: Canary) -> dict[str, Any]:
    """The JSON document of ``canary``; times in seconds."""
    found = {"tasks": canary.tasks, "share": canary.share, "quiet_seconds": seconds_of(canary.quiet)}
    return {name: value for name, value in found.items() if value is not None}


def _canary_from_db(document: Any) -> Any:
    """The fields that the JSON document of ``canary`` stands for; what cannot be one is left as it is."""
    if not isinstance(document, dict):
        return document
    fields = dict(document)
    if isinstance(share := fields.get("share"), int):
        fields["share"] = f"{share}%"
    if isinstance(seconds := fields.pop("quiet_seconds", None), int):
        fields["quiet"] = timedelta(seconds=seconds) if 0 <= seconds <= DAY_SECONDS else seconds
    return fields


class Follow(Declared):
    """How a tag is followed: what it means is looked at now and then, and another content is another release."""

    interval: FollowInterval = Field(timedelta(minutes=5), description="About the time between two looks; at least 1m.")


@dataclass(frozen=True, slots=True)
class _OrFlag:
    """How a tag is followed, or ``true``: as usual; ``false`` is to leave it out."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(value: Any) -> Any:
            return {} if value is True else None if value is False else value

        return core_schema.no_info_before_validator_function(read, handler.generate_schema(Follow | None))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        inner = handler(schema["schema"])
        return {"anyOf": [{"type": "boolean"}, *inner["anyOf"]]}


def _follow_to_db(follow: Follow) -> float:
    return seconds_of(follow.interval)


def _follow_from_db(seconds: Any) -> Any:
    return {"interval": timedelta(seconds=seconds)} if isinstance(seconds, int) else seconds


HEALTHCHECK = Column("healthcheck", to_db=_check_to_db, from_db=_check_from_db, json=True)
DRAIN = Column("drain_seconds", to_db=seconds_of, from_db=lambda seconds: timedelta(seconds=seconds))
RESTART_TOKEN = Column("restart_token", kept=True)
STOP_GRACE = Column("stop_grace_seconds", to_db=seconds_of, from_db=lambda seconds: timedelta(seconds=seconds))


class EnvironmentMetadata(Metadata):
    """The name is unique in its app."""

    name: Slug = Field(description="Name of the environment, such as production.")
    renamed_from: Slug | None = Field(None, description=RENAMED_FROM)
    app: Slug = Field(description="Slug of the app.")
    organization: Slug = Field(description="Slug of the organization.")


class EnvironmentSpec(Spec):
    """What runs. Without Process resources it is one process ``web`` made of the fields here."""

    image: Image | None = Field(
        None, description="Image reference; with deployMode buildpack what runs until something was deployed."
    )
    deploy_mode: Literal["image", "buildpack"] = Field(
        "image", description="Where the image comes from; buildpack: the newest deployment that succeeded."
    )
    plan: Slug | None = Field(None, description="Name of the plan that limits each task.")
    region: Slug | None = Field(None, description="Only nodes with this value of the label io.skypanel.region run it.")
    pool: Slug | None = Field(None, description="Only nodes with this value of the label io.skypanel.pool run it.")
    spread: Slug | None = Field(
        None, description="Tasks are spread over the values of the label io.skypanel.SPREAD of nodes, such as zone."
    )
    command: Command = Field(None, description="Program instead of the image's entry point.")
    args: Arguments = Field(None, description="Arguments instead of the image's.")
    replicas: Replicas = Field(1, description="Tasks of the process web, when there are no Process resources.")
    port: Port | None = Field(None, description="Port that web listens on, given to it as PORT; needed with a domain.")
    cpu: CpuText | None = Field(None, description='Cores of each task instead of the plan\'s: 0.25 or "250m".')
    memory: MemoryText | None = Field(None, description='Memory of each task instead of the plan\'s: "64Mi".')
    healthcheck: HealthcheckOrNone = Field(
        None,
        description="Health check of web; left out: the image's own, else if it listens on its port. none: nothing.",
    )
    stop_grace_period: GracePeriod = Field(
        timedelta(seconds=10), description="Time between SIGTERM and SIGKILL; whole seconds."
    )
    drain: DrainPeriod | None = Field(
        None,
        description="Time that a task serves on for when it is to stop, before its program is asked to; whole seconds. "
        "The program is a child of ours then, and not process 1, also without init.",
    )
    stop_signal: StopSignal | None = Field(None, description="Signal that asks to stop instead of the image's.")
    restart: RestartPolicy | None = Field(
        None,
        description="When a task whose program ended is started again: always, the default; on-failure: not where it "
        "ended with exit code 0, for what has neither a port nor a health check. unless-stopped is always: what is to "
        "stand still is suspended.",
    )
    read_only_root_filesystem: Flag = Field(True, description="Only tmpfs paths can be written to.")
    init: Flag = Field(
        True, description="A small init is process 1; false for images that must be process 1 themselves (s6-overlay)."
    )
    tmpfs: TmpfsPaths = Field(  # 64 MiB where no size is said
        ("/tmp",),  # noqa: S108
        description="Writable paths, empty at each start: /tmp, or {path: /tmp, size: 128Mi}.",
    )
    ulimits: Ulimits | None = Field(None, description="Limits of each process.")
    sysctls: Sysctls | None = Field(None, description="Settings of the task's own network, by name.")
    extra_hosts: ExtraHosts | None = Field(None, description="Addresses of host names that only tasks know.")
    files: Files | None = Field(
        None, description="Text of files by path, which managers of the Swarm can read: nothing secret."
    )
    run_as: RunAs | None = Field(None, description='Numeric "uid" or "uid:gid" instead of the image\'s user.')
    release: ReleaseVersion | None = Field(
        None, description="Release whose image, config, processes and settings run instead of what is declared here."
    )
    canary: Canary | None = Field(
        None,
        description="A new version runs in a part of the tasks first; left out: one task is replaced after another.",
    )
    follow: Annotated[Follow | None, _OrFlag()] = Field(
        None,
        description="The image's tag is followed: another content that it means is another release; left out: what it "
        "meant when it was set runs.",
    )
    restart_token: RestartToken | None = Field(
        None, description="Another one replaces all tasks, one after the other; left out: as it is."
    )
    suspended: Flag = Field(False, description="Stops the environment; nothing is lost.")

    @model_validator(mode="after")
    def _files_are_seen(self) -> Self:
        if problems := list(covered(self.files or (), self.tmpfs)):
            raise InvalidSpec(problems)
        return self

    @model_validator(mode="after")
    def _has_an_image(self) -> Self:
        if self.deploy_mode == "image" and self.image is None:
            hint = "name the image, such as registry.example.com/team/app:1.2"
            raise InvalidSpec([Problem("image", None, "is required", hint, ("image",))])
        return self


class Environment(Resource):
    """One running copy of an app."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="paas_environments",
        key_column="name",
        columns={
            "image": Column("image_ref"),
            "deploy_mode": Column("deploy_mode"),
            "plan": Column("plan_id", reference=Reference("paas_plans", "name", kind="Plan")),
            "region": Column("region"),
            "pool": Column("pool"),
            "spread": Column("spread"),
            "command": Column("entrypoint", to_db=listed),
            "args": Column("cmd", to_db=listed),
            "replicas": Column("instances"),
            "port": Column("port"),
            "cpu": Column("cpu_limit"),
            "memory": Column("memory_mb", from_db=lambda mebibytes: f"{mebibytes}Mi"),
            "healthcheck": HEALTHCHECK,
            "stop_grace_period": STOP_GRACE,
            "drain": DRAIN,
            "stop_signal": Column("stop_signal"),
            "restart": Column("restart"),
            "read_only_root_filesystem": Column("read_only_root"),
            "init": Column("init"),
            "tmpfs": Column("tmpfs_paths", to_db=listed),
            "ulimits": Column("ulimits", to_db=_ulimits_to_db, from_db=_ulimits_from_db, json=True),
            "sysctls": Column("sysctls", json=True),
            "extra_hosts": Column("extra_hosts", json=True),
            "files": Column("files", json=True),
            "run_as": Column("run_as"),
            "release": Column("release"),
            "canary": Column("canary", to_db=_canary_to_db, from_db=_canary_from_db, json=True),
            "follow": Column("follow_seconds", to_db=_follow_to_db, from_db=_follow_from_db),
            "restart_token": RESTART_TOKEN,
            "suspended": Column("suspended"),
        },
        parent="App",
        parent_column="app_id",
        deleted_in="paas_environments",
    )
    facts: ClassVar[KindFacts] = KindFacts(
        example_name="production",
        example={"image": "registry.example.com/shop/web:1.4", "replicas": 3, "plan": "small", "port": 8080},
        short=("env",),
        reconciled=True,
        serves=True,
        whole_rules=True,
        configurable=True,
        released=True,
        permits={
            "write": MEMBER,
            "delete": ADMIN,
            "suspend": ADMIN,
            **dict.fromkeys(("deploy", "scale", "restart", "rollback", "config"), MEMBER),
        },
        changed_by={"image": "deploy", "replicas": "scale", "restartToken": "restart", "release": "rollback"},
        images=("image",),
        overruled={"replicas": ("Process", ""), "port": ("Process", "web"), "healthcheck": ("Process", "web")},
        columns={"TASKS": tasks, "IMAGE": image},
        wide={"GENERATION": generation, "PLAN": spec("plan")},
        refusals={
            "paas_environments_app_not_deleted": ("its app is being deleted", "apply the App as well"),
            "paas_environments_plan_offered": (
                "its plan is not offered to new environments any more",
                "choose another plan, or set enabled of this one",
            ),
            "paas_environments_release_fkey": (
                "has no such release",
                "`skypanel releases PATH` lists those that are kept; leave release out of a new environment",
            ),
            "paas_environments_image_ref_given": ("needs an image", "set spec.image"),
            "paas_environments_plan_id_fkey": (
                "environments use this plan",
                "give them another plan first: `skypanel get environments` shows which",
            ),
        },
    )

    kind: Literal["Environment"] = "Environment"
    metadata: EnvironmentMetadata
    spec: EnvironmentSpec
