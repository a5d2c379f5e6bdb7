"""ConfigVars: a document with config vars of an organization, an app or an environment. It is no kind: it has no row.

    apiVersion: skypanel.io/v1
    kind: ConfigVars
    metadata: {organization: acme, app: shop, environment: production}
    spec:
      variables: {LOG_LEVEL: info}
      files: {CA_CERT: "-----BEGIN ..."}

It says the variables that it names and no others, and several documents may name some of one owner each. No value is in
any message, and a value is text: what YAML makes of ``0123``, ``1e3`` or ``no`` is nobody's wish.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from specs.config import NAME_CHARACTERS, check_name, check_value
from specs.fields import Slug
from specs.problems import InvalidSpec, Problem, RefusedError
from specs.resource import API_VERSION, Declared

KIND = "ConfigVars"
FIELDS = ("variables", "files")
_SECRET = re.compile(
    r"PASS(WORD|WD|PHRASE)|SECRET|TOKEN|CREDENTIAL|PRIVATE|(API|ACCESS|SIGNING|ENCRYPTION|MASTER)_?KEY", re.IGNORECASE
)
_IN_URL = re.compile(r"://[^/\s:@]*:[^/\s@]+@")


def _text(name: str, value: object, *, files: bool) -> str:
    """The value of a variable; what it is not, and never what it is."""
    if isinstance(value, str):
        check_value(check_name(name), value.encode())
        if files and not value:
            raise RefusedError("is a file, and a file must not be empty", "write it under variables")
        return value
    if value is None:
        raise RefusedError("has no value", 'write "" for an empty one, or take the variable out')
    if isinstance(value, dict | list):
        raise RefusedError("is no text", "a value is one text; `|` begins one of several lines")
    raise RefusedError("is no text", "put it in quotes, so that it stays as it is written")


def _values(*, files: bool) -> Callable[[object], object]:
    def checked(given: object) -> object:
        if not isinstance(given, Mapping):
            raise RefusedError("is no mapping", "write each variable below it: NAME: value")
        found: dict[str, str] = {}
        problems: list[Problem] = []
        for name, value in given.items():
            try:
                found[name] = _text(name, value, files=files)
            except RefusedError as error:
                problems.append(Problem(name, None, error.message, error.hint, (name,)))
            except UnicodeEncodeError:
                problems.append(Problem(name, None, "has half a character", "", (name,)))
        if problems:
            raise InvalidSpec(problems)
        return found

    return checked


_SCHEMA = WithJsonSchema(
    {
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": NAME_CHARACTERS},
        "additionalProperties": {"type": "string"},
    }
)
Variables = Annotated[dict[str, str], BeforeValidator(_values(files=False)), _SCHEMA]
FileValues = Annotated[dict[str, str], BeforeValidator(_values(files=True)), _SCHEMA]


class ConfigVarsMetadata(Declared):
    """Whose variables they are: as many names as there are layers."""

    environment: Slug | None = Field(None, description="Name of the environment; without it they are the app's.")
    app: Slug | None = Field(None, description="Slug of the app; without it they are the organization's.")
    organization: Slug = Field(description="Slug of the organization.")

    @model_validator(mode="after")
    def _has_an_app(self) -> Self:
        if self.environment is not None and self.app is None:
            raise RefusedError("has an environment and no app", "name the app that it belongs to")
        return self

    @property
    def path(self) -> tuple[str, ...]:
        """Of the owner, the outermost name first."""
        return tuple(filter(None, (self.organization, self.app, self.environment)))


class ConfigVarsSpec(Declared):
    """What is set. A variable that is not named stays as it is."""

    variables: Variables = Field(
        default_factory=dict, repr=False, description="Value by name; tasks get a variable. Text alone: quote numbers."
    )
    files: FileValues = Field(
        default_factory=dict, repr=False, description="Content by name; tasks get the file /run/secrets/NAME."
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if not self.variables and not self.files:
            raise RefusedError("sets nothing", "write variables or files below it")
        if both := sorted(self.variables.keys() & self.files.keys()):
            raise RefusedError(f"has {', '.join(both[:3])} as a variable and as a file", "keep one of them")
        return self


class ConfigVars(Declared):
    """Config vars of an organization, an app or an environment, as files and sources declare them."""

    api_version: Literal["skypanel.io/v1"] = Field(default=API_VERSION, description="API version of the document.")
    kind: Literal["ConfigVars"] = KIND  # type: ignore[assignment]
    metadata: ConfigVarsMetadata
    spec: ConfigVarsSpec

    @property
    def path(self) -> tuple[str, ...]:
        """Of the owner."""
        return self.metadata.path

    def values(self) -> Iterator[tuple[str, str, str]]:
        """Field, name and value of each."""
        for field in FIELDS:
            for name, value in getattr(self.spec, field).items():
                yield field, name, value


def doubt(field: str, name: str, value: str) -> str:
    """What is hardly meant with a value that everybody who reads the file can see; empty: nothing."""
    if value and _SECRET.search(name):
        return "looks like a secret and stands there in clear: encrypt the file with SOPS, or use `skypanel config set`"
    if _IN_URL.search(value):
        return "has a password in an address, in clear: encrypt the file with SOPS, or use `skypanel config set`"
    if field == "variables" and value.endswith("\n"):
        return "ends with a line break, as `|` makes one; `|-` makes none"
    return ""
