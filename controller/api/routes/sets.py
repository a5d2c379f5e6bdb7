"""Several objects at once: the plan of a set of spec documents, and their application, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controller.actions.apply import apply, concerned, written_document
from controller.actions.change import of_sources
from controller.actions.doubts import of_rows
from controller.actions.errors import ActionError
from controller.actions.pruning import Pruning, deletes
from controller.api import places
from controller.api.asked import Answer, Asked, Waiting
from controller.api.body import JSON, YAML
from controller.api.examples import object_example, plan_example
from controller.api.operations import Operation, Parameter
from controller.api.problems import Fault, ProblemError, pointer
from controller.api.routes import objects, shared
from controller.api.tenants import saying
from specs.kinds import KINDS
from specs.loader import ONCE, FileProblem, Files, Located, SpecFilesError, read_resources
from specs.problems import InvalidSpec, Problem

PRUNE = Parameter(
    "prune",
    "A path, such as acme/shop: what is below it and not in the set is deleted, but for what a source declares.",
    {"type": "string", "minLength": 1, "maxLength": 255},
)
_MOST = 500
_NAME = "body"


def _plan(asked: Asked) -> Answer:
    entries = _entries(asked)
    return objects.plan(asked, entries, _pruning(asked, entries))


def _apply(asked: Asked) -> Answer:
    entries = _entries(asked)
    pruning = _pruning(asked, entries)
    if asked.flag("dryRun"):
        return objects.plan(asked, entries, pruning)
    with saying(asked.conn, asked.query.get("reason", ""), asked.query.get("commit", "")):
        written = apply(asked.conn, entries, asked.settings.options, pruning=pruning)
    seconds = shared.wait_seconds(asked.query)
    keys = concerned(asked.conn, written, deleted=deletes(written)) if seconds else []
    waiting = Waiting(keys, seconds, written) if seconds else None
    doubts = [*of_rows(asked.conn, entries), *of_sources(asked.conn, written)]
    return Answer({"written": [written_document(each) for each in written], "doubts": doubts}, waiting=waiting)


def _entries(asked: Asked) -> list[Located]:
    """What the body declares, all of which the caller may write.

    Raises:
        ProblemError: something is not his.
        SpecFilesError, InvalidSpec: something breaks a rule.
    """
    entries = _of_text(asked.body) if isinstance(asked.body, str) else _of_list(asked.body)
    if not entries:
        raise InvalidSpec([Problem("", None, "declares nothing", "send spec documents")])
    if len(entries) > _MOST:
        raise InvalidSpec([Problem("", None, f"declares more than {_MOST} objects", "send them in parts")])
    refused = []
    for entry in entries:
        metadata = entry.resource.metadata
        path = (*metadata.parents.values(), metadata.name)
        try:
            shared.refuse_others(asked, entry.resource.kind, path)
            asked.refuse_unless("write", entry.resource.kind, path)
        except ProblemError as error:
            refused.append((error.name, Fault(error.detail, resource=f"{entry.resource.kind} {'/'.join(path)}")))
    if refused:
        name = "not-found" if any(name == "not-found" for name, _ in refused) else "forbidden"
        raise ProblemError(name, "not all of it may be written here; nothing was", [fault for _, fault in refused])
    return entries


def _pruning(asked: Asked, entries: list[Located]) -> Pruning | None:
    """What is to be deleted as well, each of which the caller may delete.

    Raises:
        ProblemError: nothing is there, or not his.
    """
    path = asked.query.get("prune", "")
    if not path:
        return None
    try:
        found = Pruning.of(path, Files(entries), lambda one: asked.refuse_unless("delete", one.kind, one.path))
    except ActionError as error:
        raise ProblemError("malformed", str(error), [Fault(error.hint, parameter=PRUNE.name)]) from None
    if found is not None:
        shared.refuse_others(asked, found.kind, found.path)
        shared.found(asked, found.kind, found.path)
    return found


def _of_text(text: str) -> list[Located]:
    found = list(read_resources(text, _NAME))
    problems = [each for each in found if isinstance(each, FileProblem)]
    if problems:
        raise SpecFilesError(problems)
    return _once([each for each in found if isinstance(each, Located)])


def _of_list(body: Any) -> list[Located]:
    items: Sequence[Any] = body["items"] if isinstance(body, dict) and isinstance(body.get("items"), list) else (
        body if isinstance(body, list) else [body]
    )  # fmt: skip
    prefix: tuple[str | int, ...] = ("items",) if isinstance(body, dict) and items is not body else ()
    found: list[Located] = []
    problems: list[Problem] = []
    for index, item in enumerate(items):
        at = (*prefix, index) if items is not body or isinstance(body, list) else ()
        try:
            found.append(_one(item, at if isinstance(body, list) or prefix else ()))
        except InvalidSpec as error:
            problems += [Problem(p.field, None, p.message, p.hint, (*at, *p.path)) for p in error.problems]
    if problems:
        raise InvalidSpec(problems)
    return _once(found)


def _one(item: Any, at: Sequence[str | int]) -> Located:
    kind = item.get("kind") if isinstance(item, Mapping) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise InvalidSpec([Problem("kind", None, "is not known", f"one of {', '.join(KINDS)}", ("kind",))])
    if KINDS[kind].facts.once:
        address = places.collection(places.areas(kind)[-1], kind, nested=True)
        raise InvalidSpec([Problem("kind", None, ONCE, f"use `POST {address}`", ("kind",))])
    metadata = item.get("metadata")
    if isinstance(metadata, Mapping):
        metadata = {name: value for name, value in metadata.items() if name not in places.MADE}
    kept = {name: value for name, value in item.items() if name not in ("status", "owners", "can", "written", "waited")}
    return places.resource(KINDS[kind], {**kept, "metadata": metadata}, pointer(at))


def _once(entries: list[Located]) -> list[Located]:
    seen: set[Any] = set()
    for entry in entries:
        if entry.resource.key in seen:
            raise InvalidSpec([Problem("", None, f"{entry.resource.key} is declared twice", "keep one of them")])
        seen.add(entry.resource.key)
    return entries


_SENT = {"items": [{**object_example(kind), "status": {}} for kind in list(KINDS)[:1]]}
_TAKES = {
    "type": "object",
    "required": ["items"],
    "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Resource"}, "minItems": 1}},
}

OPERATIONS = [
    Operation(
        "POST", "/api/plan", "plan", "sets", "Say what a set of spec documents would change; nothing is changed.",
        _plan, plan_example(), forms=(JSON, YAML), sent=_SENT, takes=_TAKES,
        means='The body is `{"items": [...]}`, a list, one document, or spec files as YAML.', parameters=(PRUNE,),
        problems=("invalid", "conflict", "forbidden", "not-found"),
    ),
    Operation(
        "POST", "/api/apply", "apply", "sets", "Declare a set of spec documents, all of them or none.",
        _apply, {"written": plan_example()["rows"], "doubts": []}, forms=(JSON, YAML), sent=_SENT, takes=_TAKES,
        means="As `POST /api/plan`, and it is written. What the set does not name is left alone, but for `prune`.",
        writes=True,
        parameters=(shared.DRY_RUN, shared.WAIT, shared.IDEMPOTENCY_KEY, shared.REASON, shared.COMMIT, PRUNE),
        problems=("invalid", "conflict", "forbidden", "not-found", "in-progress", "key-reused"),
    ),
]  # fmt: skip
