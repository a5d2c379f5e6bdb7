"""Where objects stand in the API: addresses made of kinds, and what a body says of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from controller.actions.addresses import PREFIX, address, areas, collection, path_in, place
from controller.api.problems import pointer
from specs.kinds import KINDS, ancestors
from specs.loader import Located
from specs.problems import InvalidSpec, Problem, problems_of
from specs.problems import Path as FieldPath
from specs.resource import API_VERSION, Resource
from specs.yaml_syntax import Position

__all__ = ["PREFIX", "address", "areas", "collection", "path_in", "place"]

MADE = ("id", "generation", "createdAt", "deletedAt")
"""Metadata that is made here: who sends a document back as it was read need not take it out."""
_MEMBERS = ("apiVersion", "kind", "metadata", "spec", "status", "owners", "can", "written", "waited")


class Posted(Located):
    """A resource that came in a body: its places are JSON pointers."""

    def at(self, path: FieldPath) -> str:
        """The pointer to a field."""
        return self.file + pointer(path)


def posted(kind: str, path: Sequence[str], body: Any) -> Posted:
    """What ``body`` declares of the object at ``path``.

    Raises:
        InvalidSpec: it breaks a rule of its kind, or says other names than the address.
    """
    if not isinstance(body, dict):
        raise InvalidSpec([Problem("", body, "is no object", 'send {"spec": {...}}')])
    metadata = body.get("metadata", {})
    names = _names(kind, path)
    problems = [Problem(key, None, "is not a field here", "", (key,)) for key in body if key not in _MEMBERS]
    problems += _contradictions(body, {"apiVersion": API_VERSION, "kind": kind}, ())
    if isinstance(metadata, dict):
        problems += _contradictions(metadata, names, ("metadata",))
        metadata = {**{k: v for k, v in metadata.items() if k not in MADE}, **names}
    if problems:
        raise InvalidSpec(problems)
    document = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata}
    if "spec" in body:
        document["spec"] = body["spec"]
    return resource(KINDS[kind], document)


def resource(cls: type[Resource], document: Mapping[str, Any], prefix: str = "") -> Posted:
    """The resource that a whole document declares; ``prefix`` is the pointer to it.

    Raises:
        InvalidSpec: it breaks a rule of its kind.
    """
    try:
        return Posted(cls.model_validate(document), prefix, Position(1, 1))
    except ValidationError as error:
        raise InvalidSpec(problems_of(error, model=cls, document=document)) from None


def merged(document: Any, patch: Any) -> Any:
    """``document`` with the changes of a merge patch, as RFC 7396 has it."""
    if not isinstance(patch, dict):
        return patch
    found = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


def _names(kind: str, path: Sequence[str]) -> dict[str, str]:
    owners = [KINDS[owner].word() for owner in ancestors(kind)]
    return {"name": path[-1], **dict(zip(owners, path, strict=False))}


def _contradictions(said: Mapping[str, Any], known: Mapping[str, str], at: FieldPath) -> list[Problem]:
    return [
        Problem(".".join([*map(str, at), key]), said[key], "is something else than the address says", value, (*at, key))
        for key, value in known.items()
        if key in said and said[key] != value
    ]
