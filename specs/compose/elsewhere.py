"""What of a service has its place outside of specs: data, and values of variables and files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from specs.compose import values
from specs.compose.keys import OF_HOST, SERVICE
from specs.compose.report import shown
from specs.problems import RefusedError, quote

if TYPE_CHECKING:
    from specs.compose.service import ServiceReader


def volumes(reader: ServiceReader) -> list[str]:
    """Paths of tmpfs mounts; the others have no counterpart."""
    paths: list[str] = []
    given = reader.value("volumes")
    for number, volume in enumerate(given if isinstance(given, list) else [given] if given else []):
        if isinstance(volume, dict) and volume.get("type") == "tmpfs":
            target = reader.parsed(values.text, volume.get("target"), "volumes", number)
            paths += [values.normal_path(target)] if target else []
            continue
        source = volume.get("source") if isinstance(volume, dict) else str(volume).partition(":")[0]
        key = SERVICE["use_api_socket"] if "docker.sock" in str(volume) else SERVICE["volumes"]
        if key is SERVICE["volumes"] and str(source).startswith(("/", ".", "~")):
            key = OF_HOST
        item, named = reader.service.keys["volumes"], volume.get("target") if isinstance(volume, dict) else volume
        reader.report.key(reader.service.name, item, "volumes", key, quote(named), number)
    return paths


def values_elsewhere(reader: ServiceReader) -> None:
    """Say which values are to be set as config vars; they are in no spec, and not in what is said."""
    given = reader.value("environment")
    if given is not None and not isinstance(given, dict | list | str):
        error = RefusedError("is neither a mapping nor a list", "write NAME: value")
        reader.report.problem(reader.service.name, reader.service.keys["environment"], "environment", error)
        return
    names = [given] if isinstance(given, str) else given or ()
    bare = [shown(str(name).partition("=")[0].strip()) for name in names]
    command = f"`skypanel config import {reader.config_path}"
    if bare:
        hint = f"write NAME=value lines of them into a file, and {command} FILE`"
        reader.note("environment", f"values are not written to a spec: {', '.join(bare)}", hint)
    for key in ("secrets", "configs"):
        entries = reader.value(key)
        for number, entry in enumerate(entries if isinstance(entries, list) else [entries] if entries else []):
            reader.partly(key, shown(str(entry.get("source") if isinstance(entry, dict) else entry)), number)
    files = reader.value("env_file")
    for entry in files if isinstance(files, list) else [files] if files else []:
        path = entry.get("path") if isinstance(entry, dict) else entry
        hint = f"{command} {shown_path(path)}`"
        reader.note("env_file", f"values are not written to a spec: those of {shown_path(path)}", hint)


def shown_path(path: object) -> str:
    """A path as it is typed."""
    return path if isinstance(path, str) and re.fullmatch(r"[\w./@+-]+", path) else quote(path)
