"""What spec files may say: the schemas, and beyond them what the settings forbid. The database is not asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from controller.actions.errors import ActionError
from controller.actions.paths import ALL, kind_of
from specs.config_vars import KIND as CONFIG_VARS
from specs.doubts import doubts, of_variables
from specs.loader import FileProblem, Files, Located, SpecFilesError
from specs.problems import RefusedError
from specs.registries import check_registry
from specs.schema_export import schemas


def check_registries(entries: Sequence[Located], allowed: Sequence[str]) -> None:
    """Refuse images on private hosts.

    Raises:
        SpecFilesError: names each of them.
    """
    problems = []
    for entry in entries:
        resource = entry.resource
        for field in resource.facts.images:
            try:
                if image := getattr(resource.spec, field):
                    check_registry(image, allowed)
            except RefusedError as error:
                label = f"{resource.kind}/{resource.metadata.name}"
                place = f"spec.{type(resource.spec).model_fields[field].alias or field}"
                problems.append(FileProblem(entry.file, entry.position, label, place, error.message, error.hint))
    if problems:
        raise SpecFilesError(problems)


def write_schemas(kind: str, folder: Path) -> list[str]:
    """Write the schema of a kind, or all of them, into ``folder``, over older ones; the names of the files.

    Raises:
        ActionError: there is no such kind, or it cannot be written.
    """
    found = schemas()
    names = list(found) if kind.lower() == ALL else [schema_file(kind)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            text = json.dumps(found[name], indent=2, ensure_ascii=False)
            (folder / name).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise ActionError(f"--into: {folder} cannot be written: {error.strerror}", "check the path") from None
    return names


def schema_file(word: str) -> str:
    """The file with the schema of a kind, or of documents of config vars.

    Raises:
        ActionError: there is no such kind.
    """
    return f"{CONFIG_VARS if word.lower() == CONFIG_VARS.lower() else kind_of(word)}.json".lower()


def doubtful(entries: Files) -> list[str]:
    """What files say and hardly mean, a sentence each; the database is not asked."""
    return [*doubts(entries.resources, lambda _resource, _kind: ()), *of_variables(entries.variables)]
