"""What spec files may not say, beyond their models: what the settings forbid. The database is not asked."""

from __future__ import annotations

from collections.abc import Sequence

from specs.doubts import doubts
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


def doubtful(entries: Sequence[Located]) -> list[str]:
    """What files say and hardly mean, a sentence each; the database is not asked."""
    return list(doubts(entries, lambda _resource, _kind: ()))
