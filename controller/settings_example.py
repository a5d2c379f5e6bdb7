"""Writes `.env.example`: every setting, with its default: ``python -m controller.settings_example [--check]``.

A line that is commented out says the default; what has none is empty. The file is one that ``--env-file`` reads.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from controller.settings import Settings
from controller.settings_sources import names_of

FILE = Path(__file__).parents[1] / ".env.example"
_WIDTH = 118
_HEAD = """\
# Settings of SkyPanel controller, all of them. Made of the program: python -m controller.settings_example
#
# Copy what you need into /etc/skypanel/env (mode 0600), which every command reads, or name a file by --env-file or
# SKYPANEL_ENV_FILE; the environment wins over both. `skypanel setup` writes the connection strings by itself,
# `skypanel doctor` shows what is set, and names what is misspelt. Lists are separated by commas.
"""
_SECTIONS: Mapping[str, Sequence[str]] = {
    "Database": ("DATABASE_URL", "SKYPANEL_DATABASE_"),
    "Engine of a Swarm manager": ("DOCKER_", "SKYPANEL_DOCKER_"),
    "HTTP API": ("SKYPANEL_API_", "SKYPANEL_SERVE_API"),
    "Who calls the HTTP API": ("JWT_SECRET", "SKYPANEL_OIDC_", "SKYPANEL_CONSOLE_"),
    "Keys of config vars": ("SKYPANEL_KEY", "SSH_CRED_SECRET"),
    "Edge": ("SKYPANEL_EDGE_",),
    "Where images come from": ("SKYPANEL_ALLOWED_REGISTRIES", "SKYPANEL_INSECURE_REGISTRIES", "SKYPANEL_REGISTRY_"),
    "Image policy of the whole installation": ("CAAS_",),
    "Spec files from git": ("SKYPANEL_SOURCE_",),
    "Tenants": ("SKYPANEL_SUBNET_", "SKYPANEL_REQUIRE_", "SKYPANEL_PIN_IMAGE", "PAAS_BASE_DOMAIN"),
    "Rollouts": (
        *("SKYPANEL_ROLLOUT_", "SKYPANEL_MAX_ROLLOUTS", "SKYPANEL_MIN_READY_", "SKYPANEL_PROGRESS_"),
        *("SKYPANEL_RELEASE_",),
    ),
    "Removal and retention": ("SKYPANEL_GC_", "SKYPANEL_RETENTION_", "SKYPANEL_AUDIT_"),
    "The controller itself": ("SKYPANEL_",),
}
"""By the first that fits: names, or how they begin."""


def example() -> str:
    """The file, whole."""
    fields = dict(zip(names_of(Settings), Settings.model_fields.values(), strict=True))
    lines = [_HEAD.rstrip()]
    left = list(fields)
    taken = {title: [name for name in left if section_of(name) == title] for title in _SECTIONS}
    for title, names in taken.items():
        lines += ["", f"# -- {title} {'-' * (_WIDTH - len(title) - 6)}"]
        for name in names:
            lines += ["", *_setting(name, fields[name])]
    return "\n".join(lines) + "\n"


def section_of(name: str) -> str:
    """The title below which a setting stands."""
    return next(title for title, begins in _SECTIONS.items() if name.startswith(tuple(begins)))


def _setting(name: str, field: FieldInfo) -> Iterator[str]:
    said = field.description or ""
    if get_origin(field.annotation) is Literal:
        said += f" One of {', '.join(get_args(field.annotation))}."
    yield from textwrap.wrap(said, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    yield f"#{name}={_default(field)}"


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or with ``--check`` say whether it is current; exit code 1 when it is not."""
    parser = argparse.ArgumentParser(prog="python -m controller.settings_example", description="Write .env.example.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when it is not current")
    wanted = example()
    if not parser.parse_args(arguments).check:
        FILE.write_text(wanted, encoding="utf-8")
        return 0
    if FILE.exists() and FILE.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write(f"{FILE.name} is not current: run python -m controller.settings_example\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
