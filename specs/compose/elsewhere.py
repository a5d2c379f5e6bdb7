"""What of a service has its place outside of specs: data, and values of variables and files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from specs.compose import values
from specs.compose.keys import OF_HOST, SERVICE
from specs.compose.report import shown
from specs.compose.settings import entry
from specs.problems import RefusedError, quote

if TYPE_CHECKING:
    from specs.compose.service import ServiceReader


def volumes(reader: ServiceReader) -> dict[str, str | dict[str, str]]:
    """Entries of ``tmpfs`` for mounts that are one, by path; the others have no counterpart."""
    paths: dict[str, str | dict[str, str]] = {}
    given = reader.value("volumes")
    for number, volume in enumerate(given if isinstance(given, list) else [given] if given else []):
        if isinstance(volume, dict) and volume.get("type") == "tmpfs":
            target = reader.parsed(values.text, volume.get("target"), "volumes", number)
            options = volume.get("tmpfs")
            given = options.get("size") if isinstance(options, dict) else None
            size = None if given is None else reader.parsed(values.mebibytes, given, "volumes", number)
            if target:
                paths[values.normal_path(target)] = entry(target, size)
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
        for number, one in enumerate(entries if isinstance(entries, list) else [entries] if entries else []):
            reader.partly(key, shown(str(one.get("source") if isinstance(one, dict) else one)), number)
    files = reader.value("env_file")
    for one in files if isinstance(files, list) else [files] if files else []:
        path = one.get("path") if isinstance(one, dict) else one
        hint = f"{command} {shown_path(path)}`"
        reader.note("env_file", f"values are not written to a spec: those of {shown_path(path)}", hint)


def shown_path(path: object) -> str:
    """A path as it is typed."""
    return path if isinstance(path, str) and re.fullmatch(r"[\w./@+-]+", path) else quote(path)
