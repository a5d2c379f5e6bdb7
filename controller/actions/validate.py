"""What spec files may not say, beyond their models: what the settings forbid. The database is not asked."""

from __future__ import annotations

from collections.abc import Sequence

from specs.kinds.environment import Environment
from specs.loader import FileProblem, Located, SpecFilesError
from specs.problems import RefusedError
from specs.registries import check_registry


def check_registries(entries: Sequence[Located], allowed: Sequence[str]) -> None:
    """Refuse images on private hosts.

    Raises:
        SpecFilesError: names each of them.
    """
    problems = []
    for entry in entries:
        resource = entry.resource
        if isinstance(resource, Environment) and resource.spec.image:
            try:
                check_registry(resource.spec.image, allowed)
            except RefusedError as error:
                label = f"{resource.kind}/{resource.metadata.name}"
                problems.append(FileProblem(entry.file, entry.position, label, "spec.image", error.message, error.hint))
    if problems:
        raise SpecFilesError(problems)
