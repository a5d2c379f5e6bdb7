"""Field types that YAML specs and database snapshots share, each with its rule and its JSON Schema.

Strict where pydantic would be generous: ``"8080"`` is not a port, ``1`` is not true. The rules themselves
are in ``names``, ``images``, ``units`` and ``rules``; here they become types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from specs import (
    buildpacks,
    image_policies,
    images,
    names,
    placeholders,
    registries,
    rules,
    run_rules,
    signers,
    sources,
    units,
    vulnerabilities,
)
from specs.problems import RefusedError, abbreviate


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from ``low`` to ``high``; ``what`` is the field's word for it, with its article."""

    low: int
    high: int
    what: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, core_schema.int_schema(strict=True))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def _check(self, value: int) -> int:
        if self.low <= value <= self.high:
            return value
        raise RefusedError(f"{abbreviate(value)} is not {self.what} ({self.low}-{self.high})")


@dataclass(frozen=True, slots=True)
class Price:
    """Money that fits ``numeric(digits, places)``; text in YAML, so no binary fraction comes in between."""

    digits: int
    places: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: rules.check_price(value, self.digits, self.places),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda price: f"{price:f}", return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        whole = self.digits - self.places
        return {"type": "string", "pattern": rf"^[0-9]{{1,{whole}}}(\.[0-9]{{1,{self.places}}})?$"}


Flag = Annotated[bool, Strict()]
Slug = Annotated[
    str, AfterValidator(names.check_slug), WithJsonSchema({"type": "string", "pattern": names.SLUG_PATTERN})
]
Slugs = Annotated[tuple[Slug, ...], AfterValidator(rules.check_once)]
Hostname = Annotated[
    str,
    AfterValidator(names.check_hostname),
    WithJsonSchema({"type": "string", "pattern": names.HOSTNAME_PATTERN, "maxLength": names.HOSTNAME_LIMIT}),
]
ProcessType = Annotated[
    str,
    AfterValidator(names.check_process_type),
    WithJsonSchema({"type": "string", "pattern": names.PROCESS_TYPE_PATTERN}),
]
RegistryHost = Annotated[
    str,
    AfterValidator(registries.check_registry_host),
    WithJsonSchema({"type": "string", "pattern": registries.HOST_PATTERN, "maxLength": registries.HOST_LIMIT}),
]
RegistryUser = Annotated[
    str,
    AfterValidator(registries.check_username),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": registries.USERNAME_LIMIT, "pattern": "^[^:]+$"}),
]
Image = Annotated[str, AfterValidator(images.check_image), WithJsonSchema({"type": "string", "minLength": 1})]
RunAs = Annotated[
    str,
    AfterValidator(rules.check_run_as),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(:[0-9]+)?$"}),
]
Email = Annotated[str, AfterValidator(rules.check_email), WithJsonSchema({"type": "string", "format": "email"})]
RepositoryUrl = Annotated[
    str, AfterValidator(rules.check_repository_url), WithJsonSchema({"type": "string", "format": "uri"})
]
BuildpackSource = Annotated[
    str,
    AfterValidator(buildpacks.check_source),
    WithJsonSchema({"type": "string", "pattern": "^(docker|https)://", "maxLength": buildpacks.LONGEST}),
]
SourceUrl = Annotated[
    str,
    AfterValidator(sources.check_source_url),
    WithJsonSchema({"type": "string", "pattern": sources.URL_PATTERN, "maxLength": sources.URL_LIMIT}),
]
Revision = Annotated[
    str,
    AfterValidator(sources.check_revision),
    WithJsonSchema({"type": "string", "pattern": sources.REVISION_PATTERN, "maxLength": sources.REVISION_LIMIT}),
]
Commit = Annotated[
    str, AfterValidator(sources.check_commit), WithJsonSchema({"type": "string", "pattern": sources.COMMIT_PATTERN})
]
Folder = Annotated[
    str,
    AfterValidator(sources.check_folder),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": sources.FOLDER_LIMIT}),
]
Signers = Annotated[
    tuple[str, ...],
    AfterValidator(signers.check_signers),
    WithJsonSchema(
        {
            "type": "array",
            "maxItems": signers.MOST_SIGNERS,
            "items": {"type": "string", "minLength": 1, "maxLength": signers.LINE_LIMIT},
        }
    ),
]
Armors = Annotated[
    tuple[str, ...],
    AfterValidator(signers.check_armors),
    WithJsonSchema(
        {
            "type": "array",
            "maxItems": signers.MOST_SIGNERS,
            "items": {"type": "string", "pattern": signers.ARMOR_PATTERN, "maxLength": signers.ARMOR_LIMIT},
        }
    ),
]
SourceValues = Annotated[
    dict[str, StrictStr | StrictBool | StrictInt | StrictFloat],
    AfterValidator(placeholders.check_values),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": placeholders.VALUES,
            "propertyNames": {"pattern": placeholders.NAME_PATTERN},
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        }
    ),
]
Line = Annotated[
    str,
    AfterValidator(rules.check_line),
    WithJsonSchema({"type": "string", "maxLength": rules.LINE_CHARACTERS}),
]
Paragraph = Annotated[
    str,
    AfterValidator(rules.check_text),
    WithJsonSchema({"type": "string", "maxLength": rules.TEXT_CHARACTERS}),
]

Port = Annotated[int, Whole(1, 65535, "a port")]
Replicas = Annotated[int, Whole(0, 1000, "a number of replicas")]
NetworkPrefix = Annotated[int, Whole(16, 28, "the prefix length of an organization's network")]
Pids = Annotated[int, Whole(1, 4_194_304, "a limit of processes")]  # the kernel's PID_MAX_LIMIT
Quota = Annotated[int, Whole(0, 1_000_000, "a quota")]
Characters = Annotated[int, Whole(16, 128, "a number of characters")]
Retries = Annotated[int, Whole(1, 100, "a number of retries")]
ReleaseVersion = Annotated[int, Whole(1, 2_147_483_647, "a version of a release")]
GraceSeconds = Annotated[int, Whole(0, 3600, "a stop grace period in seconds")]
DrainSeconds = Annotated[int, Whole(0, 3600, "a time to drain in seconds")]
FirstTasks = Annotated[int, Whole(1, 1000, "a number of tasks")]
Percent = Annotated[int, Whole(1, 99, "a share in percent")]
QuietSeconds = Annotated[int, Whole(1, 86_400, "a quiet time in seconds")]
Vulnerabilities = Annotated[int, Whole(0, vulnerabilities.MOST_FOUND, "a number of vulnerabilities")]
ReportDays = Annotated[int, Whole(1, vulnerabilities.DAYS, "a number of days")]
SourceSeconds = Annotated[int, Whole(10, 86_400, "a time between two looks at a source in seconds")]
FollowSeconds = Annotated[int, Whole(60, 86_400, "a time between two looks at a tag in seconds")]
Gigabytes = Annotated[int, Whole(0, 1_000_000, "a number of gigabytes")]

CpuText = Annotated[
    Decimal,
    BeforeValidator(units.parse_cpu),
    PlainSerializer(units.format_cpu, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0.001, "maximum": 999.999},
                {"type": "string", "pattern": r"^[0-9]+(m|\.[0-9]+)?$"},
            ]
        }
    ),
]
MemoryText = Annotated[
    int,
    BeforeValidator(units.parse_memory),
    PlainSerializer(units.format_memory, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(Mi|Gi|Ti)$"}),
]
_DURATION_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": r"^(?=[0-9])([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"}
)
_DURATION_TEXT = PlainSerializer(units.format_duration, return_type=str, when_used="json")
Duration = Annotated[timedelta, BeforeValidator(units.parse_duration), _DURATION_TEXT, _DURATION_SCHEMA]
Period = Annotated[
    timedelta,
    BeforeValidator(units.parse_duration),
    AfterValidator(rules.check_period),
    _DURATION_TEXT,
    _DURATION_SCHEMA,
]
GracePeriod = Annotated[
    timedelta,
    BeforeValidator(units.parse_duration),
    AfterValidator(rules.check_grace_period),
    _DURATION_TEXT,
    _DURATION_SCHEMA,
]

QuietPeriod = Annotated[
    timedelta,
    BeforeValidator(units.parse_duration),
    AfterValidator(rules.check_quiet),
    _DURATION_TEXT,
    _DURATION_SCHEMA,
]
FollowInterval = Annotated[
    timedelta,
    BeforeValidator(units.parse_duration),
    AfterValidator(rules.check_follow_interval),
    _DURATION_TEXT,
    _DURATION_SCHEMA,
]
Share = Annotated[
    int,
    BeforeValidator(rules.parse_share),
    PlainSerializer(lambda share: f"{share}%", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]?%$"}),
]
DrainPeriod = Annotated[
    timedelta,
    BeforeValidator(units.parse_duration),
    AfterValidator(rules.check_drain),
    _DURATION_TEXT,
    _DURATION_SCHEMA,
]


def _words(check: Callable[[tuple[str, ...]], tuple[str, ...]]) -> AfterValidator:
    """An empty list means the same as none: what the image says."""
    return AfterValidator(lambda words: check(words) if words else None)


Command = Annotated[tuple[str, ...] | None, BeforeValidator(rules.refuse_shell_text), _words(rules.check_command)]
Arguments = Annotated[tuple[str, ...] | None, BeforeValidator(rules.refuse_shell_text), _words(rules.check_arguments)]
CheckCommand = Annotated[tuple[str, ...], BeforeValidator(rules.refuse_shell_text), AfterValidator(rules.check_command)]
_PATH_SCHEMA = {"type": "string"}
_SIZED_SCHEMA = {
    "type": "object",
    "required": ["path"],
    "properties": {"path": _PATH_SCHEMA, "size": {"type": "string"}},
    "additionalProperties": False,
}
RequestPath = Annotated[
    str,
    AfterValidator(rules.check_request_path),
    WithJsonSchema({"type": "string", "pattern": "^/[!-~]*$", "maxLength": rules.PATH_CHARACTERS}),
]
CheckedPort = Literal[True] | Port
TmpfsPaths = Annotated[
    tuple[Annotated[str, BeforeValidator(run_rules.tmpfs_text)], ...],
    AfterValidator(run_rules.check_tmpfs),
    PlainSerializer(run_rules.tmpfs_shown, when_used="json"),
    WithJsonSchema({"type": "array", "items": {"anyOf": [_PATH_SCHEMA, _SIZED_SCHEMA]}}),
]
RestartToken = Annotated[
    str,
    AfterValidator(rules.check_restart_token),
    WithJsonSchema({"type": "string", "pattern": rules.RESTART_PATTERN}),
]
StopSignal = Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH"]
RestartPolicy = Literal["always", "on-failure", "unless-stopped"]
OpenFiles = Annotated[int, Whole(*run_rules.NOFILE, "a number of open files")]
Sysctls = Annotated[
    dict[str, Annotated[int, Strict()] | Annotated[str, Strict()]],
    AfterValidator(run_rules.check_sysctls),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {
                **{name: {"type": "integer", "minimum": a, "maximum": b} for name, (a, b) in run_rules.SYSCTLS.items()},
                run_rules.PORT_RANGE: {"type": "string", "pattern": "^[0-9]+ [0-9]+$"},
            },
            "additionalProperties": False,
        }
    ),
]
ImagePatterns = Annotated[
    tuple[str, ...],
    AfterValidator(image_policies.check_patterns),
    WithJsonSchema(
        {
            "type": "array",
            "maxItems": image_policies.PATTERNS,
            "items": {"type": "string", "minLength": 1, "maxLength": image_policies.PATTERN_CHARACTERS},
        }
    ),
]
SignatureKeys = Annotated[
    tuple[str, ...],
    AfterValidator(image_policies.check_keys),
    WithJsonSchema(
        {
            "type": "array",
            "maxItems": image_policies.KEYS,
            "items": {"type": "string", "pattern": "^-----BEGIN PUBLIC KEY-----"},
        }
    ),
]
ExtraHosts = Annotated[dict[str, str], AfterValidator(run_rules.check_extra_hosts)]
Files = Annotated[dict[str, str], AfterValidator(run_rules.check_files)]

Cores = Annotated[Decimal, BeforeValidator(rules.check_cores)]
Mebibytes = Annotated[int, Strict(), AfterValidator(units.check_memory)]
Seconds = Annotated[float, BeforeValidator(rules.check_seconds)]
PositiveSeconds = Annotated[float, BeforeValidator(rules.check_positive_seconds)]
