"""Where settings come from: the environment, then files of NAME=value; what is set there, and what nobody reads.

The file of the installation, ``/etc/skypanel/env``, is read by every command that may read it, when nobody but its
owner can have written it: who runs ``skypanel doctor`` as root then asks with the settings of the controller.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, SecretStr

from controller.kit.redaction import redact
from specs.spelling import meant

INSTALLED = Path("/etc/skypanel/env")
PEOPLE = Path("/etc/skypanel/panel.env")
"""With the connection string of people's commands, whose role declares and reads; that of the controller does not."""
API = Path("/etc/skypanel/api.env")
"""With the connection string of the HTTP API, which sees rows of one organization at a time."""
PREFIX = "SKYPANEL_"
DATABASE = "DATABASE_URL"
"""The address that commands work with; what else is set is no matter of most."""
_OTHERS = (
    "SKYPANEL_ENV_FILE",
    "SKYPANEL_CONTEXT",
    "SKYPANEL_API_URL",
    "SKYPANEL_TOKEN",
    "SKYPANEL_LAB",
    "SKYPANEL_TEST_",
    "SKYPANEL_DEMO",
    "SKYPANEL_FIREWALL_CONF",
)
"""Names of the project's own tools, and of the command line."""
_IN_CONTAINERS = ("SKYPANEL_ORGANIZATION", "SKYPANEL_APP", "SKYPANEL_ENVIRONMENT", "SKYPANEL_PROCESS")
"""What a tenant's container gets."""


M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Source:
    """One place with settings.

    Args:
        name: what it is called: ``the environment``, or a path.
        values: by name, in upper case.
    """

    name: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Given:
    """A setting that is not as it would be by itself; ``value`` may be shown."""

    name: str
    value: str
    source: str


def installed_file(path: Path = INSTALLED) -> Path | None:
    """The file of the installation, when it can be read, and only root or this user can have written it."""
    try:
        found = path.stat()
    except OSError:
        return None
    trusted = found.st_uid in (0, os.geteuid()) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return path if trusted and stat.S_ISREG(found.st_mode) and os.access(path, os.R_OK) else None


def sources(files: Iterable[Path], environment: Mapping[str, str] = os.environ) -> list[Source]:
    """The places, those that win first.

    Args:
        files: later ones win.
        environment: wins over every file.
    """
    own = Source("the environment", {name.upper(): value for name, value in environment.items()})
    return [own, *reversed([_file(path) for path in files])]


def _file(path: Path) -> Source:
    from dotenv import dotenv_values  # noqa: PLC0415 - most commands have no file to read, and start faster without it

    values = dotenv_values(path)
    return Source(str(path), {name.upper(): value for name, value in values.items() if value is not None})


def value_of(variable: str, places: Iterable[Source]) -> str:
    """One setting as text, from the first of ``places`` that has it; empty where none does."""
    return next(filter(None, (place.values.get(variable) for place in places)), "")


def read(model: type[M], places: Iterable[Source]) -> M:
    """A model of settings, each field from the first of ``places`` that has it; an empty value is as good as none.

    Raises:
        pydantic.ValidationError: one is wrong.
    """
    ordered = list(places)
    said = {
        field: next(filter(None, (p.values.get(_variable(field)) for p in ordered)), None)
        for field in model.model_fields
    }
    return model.model_validate({field: value for field, value in said.items() if value is not None})


def of_kinds(places: Iterable[Source]) -> dict[str, BaseModel]:
    """What kinds have of settings of their own, by kind.

    Raises:
        pydantic.ValidationError: one is wrong.
    """
    ordered = list(places)
    return {kind: read(model, ordered) for kind, model in models_of_kinds().items()}


def models_of_kinds() -> dict[str, type[BaseModel]]:
    """What says which settings a kind has of its own, by kind; most have none."""
    from reconcilers.registry import registered  # noqa: PLC0415 - commands that know no kind start faster without them

    return {kind: found.settings for kind, found in registered().items() if found.settings is not None}


def unknown(places: Iterable[Source], models: Iterable[type[BaseModel]]) -> list[str]:
    """What is set for this program and read by nobody, as sentences without values: a typing error, mostly."""
    names = {name for model in models for name in names_of(model)}
    found = []
    for place in places:
        for name in sorted(place.values):
            if (
                name.startswith(PREFIX)
                and name not in names
                and not name.startswith(_OTHERS)
                and name not in _IN_CONTAINERS
            ):
                slip = meant(name.removeprefix(PREFIX), [n.removeprefix(PREFIX) for n in names if n.startswith(PREFIX)])
                hint = f"did you mean {PREFIX}{slip}?" if slip else "docs/operations.md lists the settings"
                found.append(f"{name} (in {place.name}) is not a setting ({hint})")
    return found


def given(settings: BaseModel, places: Iterable[Source]) -> list[Given]:
    """Settings that differ from their defaults, and where each was set; passwords and keys as ``***``."""
    ordered = list(places)
    found = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if value == field.get_default(call_default_factory=True):
            continue
        variable = _variable(name)
        place = next((p.name for p in ordered if p.values.get(variable)), "the program")
        found.append(Given(variable, "***" if isinstance(value, SecretStr) else _text(value), place))
    return found


def names_of(model: type[BaseModel]) -> Collection[str]:
    """The variables that ``model`` reads."""
    return [_variable(name) for name in model.model_fields]


def _variable(field: str) -> str:
    return field.upper()


def _text(value: object) -> str:
    """``value``, but for what is none: a key in the place of the file that it should be in is still a key."""
    if isinstance(value, Path) and not os.path.lexists(value):
        return "(no such file)"
    return redact(",".join(map(str, value)) if isinstance(value, tuple) else str(value))
