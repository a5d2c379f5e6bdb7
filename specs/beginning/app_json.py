"""An app.json of Heroku's or Dokku's: name, numbers of tasks, checks; of config vars the names, and never a value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from specs.beginning.found import Found, Note
from specs.names import check_process_type
from specs.problems import RefusedError

_ELSEWHERE = {
    "addons": "there are no add-ons yet: run it elsewhere, and set its address as a config var",
    "buildpacks": "build the image elsewhere, and push it to a registry",
    "stack": "build the image elsewhere, and push it to a registry",
    "cron": "nothing is run by the clock yet: use a scheduler of your own",
}
_COMMANDS = ("postdeploy", "predeploy", "pr-predestroy")
_MOST = 1000


def read(text: str, file: str, environment: str) -> Found:
    """What it says.

    Args:
        text: of the file.
        file: what it is called.
        environment: path of the environment that config vars are to be set for.

    Raises:
        ValueError: it is no object of JSON.
    """
    said = json.loads(text)
    if not isinstance(said, dict):
        raise ValueError("it is no object of JSON")  # noqa: TRY004 - as what is no JSON
    replicas: dict[str, int] = {}
    checks: dict[str, str] = {}
    notes = list(_notes(said, file, environment))
    for kind, form in _objects(said.get("formation")):
        count = form.get("quantity", 1)
        if not _is_type(kind) or type(count) is not int or not 0 <= count <= _MOST:
            notes.append(Note(file, f"formation.{kind}: is no process type with a number of tasks"))
            continue
        replicas[kind] = count
        if "size" in form:
            notes.append(Note(file, f"formation.{kind}.size: sizes are plans", "set spec.plan; skypanel get plans"))
    listed = said.get("healthchecks")
    for kind, each in listed.items() if isinstance(listed, dict) else ():
        paths = [c.get("path") for c in each if isinstance(c, dict)] if isinstance(each, list) else []
        found = [path for path in paths if isinstance(path, str) and path.startswith("/")]
        if found and _is_type(kind):
            checks[kind] = found[0]
        else:
            notes.append(Note(file, f"healthchecks.{kind}: is no check by a path", "write spec.healthcheck by hand"))
    name = said.get("name")
    return Found(name if isinstance(name, str) else "", {}, replicas, None, checks, notes=notes)


def _notes(said: Mapping[str, Any], file: str, environment: str) -> Iterator[Note]:
    for key, hint in _ELSEWHERE.items():
        if said.get(key):
            yield Note(file, f"{key}: is not carried over", hint)
    scripts = said.get("scripts")
    scripts = dict(_dokku(scripts)) if isinstance(scripts, dict) else {}
    for name in _COMMANDS:
        if name in scripts:
            hint = "what is to be done before each release is the Process release"
            yield Note(file, f"scripts.{name}: is not carried over", hint)
    variables = said.get("env")
    names = [name for name in variables if isinstance(name, str)] if isinstance(variables, dict) else []
    if names:
        hint = f"write NAME=value lines of them into a file, and `skypanel config import {environment} FILE`"
        yield Note(file, f"env: values are not written to a spec: {', '.join(names)}", hint)


def _dokku(scripts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dokku's stand one level lower."""
    inner = scripts.get("dokku")
    yield from scripts.items()
    yield from inner.items() if isinstance(inner, dict) else ()


def _objects(found: object) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(found, dict):
        yield from ((name, each) for name, each in found.items() if isinstance(each, dict))


def _is_type(text: str) -> bool:
    try:
        check_process_type(text)
    except RefusedError:
        return False
    return True
