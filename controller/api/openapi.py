"""The document of the API, OpenAPI 3.1: made of the operations and of the specs, and of nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from controller.api import cookies, problems
from controller.api.examples import names, problem_example
from controller.api.operations import Operation, Parameter
from controller.api.routes.shared import ORGANIZATION
from controller.kit.version import own_version
from specs.kinds import KINDS, SOURCE
from specs.schema_export import schemas

_ALWAYS = ("unauthenticated", "forbidden", "too-many-requests", "internal", "unavailable")
_PLACE = re.compile(r"{(\w+)}")


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """All of it."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.address, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SkyPanel",
            "version": own_version(),
            "description": "What is declared, and how it stands. Every write answers what was done, and every refusal "
            "says how to mend it: see /problems.",
        },
        "security": [{"bearer": []}, {"session": []}],
        "tags": [{"name": group} for group in dict.fromkeys(each.group for each in operations)],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}, "session": _SESSION},
        },
    }


def _operation(each: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": each.name,
        "tags": [each.group],
        "summary": each.summary,
        **({"description": each.means} if each.means else {}),
        "parameters": [
            *(_place(name) for name in _PLACE.findall(each.address)),
            *map(_parameter, (*each.parameters, ORGANIZATION)),
        ],
        "responses": {
            **{code: _answer(each, code) for code in _codes(each)},
            **_problems(each),
        },
    }
    if each.forms:
        examples = {"example": each.sent} if each.sent is not None else {}
        found["requestBody"] = {
            "required": not each.optional,
            "content": {
                form: {"schema": dict(each.takes), **examples}
                if form.endswith("json")
                else {"schema": {"type": "string", "contentMediaType": form}}
                for form in each.forms
            },
        }
    return found


def _codes(each: Operation) -> list[str]:
    """With which it may be done: what is new is 201, what is being removed 202."""
    codes = {"PUT": ["200", "201"], "DELETE": ["200", "202"]}
    if each.status == 201:
        return ["200", "201"]  # a dry run makes nothing
    return codes.get(each.method, [str(each.status)])


def _answer(each: Operation, code: str) -> dict[str, Any]:
    said = {"200": "Done.", "201": "Made.", "202": "Asked for: it is being removed."}
    schema = {"anyOf": [dict(each.answers), {"type": "object"}]} if each.writes else dict(each.answers)
    return {
        "description": said.get(code, "Done."),
        "headers": {"X-Request-Id": {"schema": {"type": "string"}}},
        "content": {each.media_type: {"schema": schema, "example": each.example}},
    }


def _problems(each: Operation) -> dict[str, Any]:
    names = [*each.problems, *_ALWAYS]
    if each.parameters or "{" in each.address:
        names.append("malformed")
    if "{" in each.address:
        names.append("not-found")
    if each.forms:
        names += ["malformed", "too-large", "unsupported-media-type"]
    if each.writes:
        names.append("forbidden")
    by_status: dict[int, list[str]] = {}
    for name in dict.fromkeys(names):
        by_status.setdefault(problems.types()[name].status, []).append(name)
    return {
        str(status): {
            "description": " ".join(problems.types()[name].title + "." for name in by_status[status]),
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {name: {"value": problem_example(name)} for name in by_status[status]},
                }
            },
        }
        for status in sorted(by_status)
    }


def _place(name: str) -> dict[str, Any]:
    known = {word: value for kind in KINDS for word, value in names(kind).items()}
    example = {"example": known[name]} if name in known else {}
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}, **example}


def _parameter(each: Parameter) -> dict[str, Any]:
    where = "header" if each.header else "query"
    needed = {"required": True} if each.required else {}
    return {"name": each.name, "in": where, **needed, "description": each.means, "schema": dict(each.schema)}


def _schemas() -> dict[str, Any]:
    found: dict[str, Any] = {"Problem": _PROBLEM, "Resource": {"anyOf": []}}
    for kind in KINDS:
        schema = schemas([kind])[f"{KINDS[kind].word()}.json"]
        parts = schema.pop("$defs", {})
        schema.pop("$schema", None)
        found |= {f"{kind}{name}": _moved(part, kind, parts) for name, part in parts.items()}
        whole = _moved(schema, kind, parts)
        found[kind] = whole
        found["Resource"]["anyOf"].append({"$ref": f"#/components/schemas/{kind}"})
        spec = whole["properties"]["spec"]
        found[f"{kind}Sent"] = {"type": "object", "required": ["spec"], "properties": {"spec": spec}}
        found[f"{kind}Object"] = {
            "type": "object",
            "required": ["kind", "metadata"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"const": kind},
                "metadata": {"type": "object", "required": ["name"]},
                "spec": {"type": "object"},
                "status": {"$ref": "#/components/schemas/Status"},
                "owners": {"type": "array", "items": _OWNER},
                "can": {"type": "array", "items": {"type": "string"}},
            },
        }
    found["Status"] = _STATUS
    return found


def _moved(node: Any, kind: str, parts: dict[str, Any]) -> Any:
    """With references to where the parts of a kind are here."""
    if isinstance(node, list):
        return [_moved(item, kind, parts) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        return {**node, "$ref": f"#/components/schemas/{kind}{reference.removeprefix('#/$defs/')}"}
    return {key: _moved(value, kind, parts) for key, value in node.items()}


_SESSION = {
    "type": "apiKey",
    "in": "cookie",
    "name": cookies.NAME,
    "description": "Of pages of the console, where the operator has named it: `POST /api/session` exchanges a token. "
    "What is not read needs `Sec-Fetch-Site: same-origin` or the console's `Origin`. Beside a token it does not count.",
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "request"],
    "properties": {
        "type": {"type": "string", "description": "Address of the page that says how to mend it; it stays."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request": {"type": "string", "description": "Number of the request; the log and the audit have it."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer to the field."},
                    "parameter": {"type": "string"},
                    "resource": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
_OWNER = {
    "type": "object",
    "required": [KINDS[SOURCE].word(), "commit", "fields"],
    "properties": {
        KINDS[SOURCE].word(): {"type": "string", "description": "Path of the source that declares it."},
        "commit": {"type": "string", "description": "That it has declared last."},
        "fields": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Of the spec: what anybody else changes of these goes back.",
        },
    },
}
_STATUS = {
    "type": "object",
    "properties": {
        "ready": {"type": ["boolean", "null"]},
        "reason": {"type": "string"},
        "message": {"type": "string"},
        "observedGeneration": {"type": "integer"},
        "serves": {"type": ["boolean", "null"], "description": "Whether something of it answers or runs."},
        "asAsked": {"type": ["boolean", "null"], "description": "Whether it is as declared."},
        "tone": {"enum": ["ready", "on its way", "needs you", "down", "paused", "unknown", None]},
        "cause": {"type": ["string", "null"]},
        "mend": {"type": ["string", "null"]},
        "mendCall": {
            "type": ["object", "null"],
            "required": ["method", "path", "body"],
            "properties": {
                "method": {"enum": ["POST", "PATCH"]},
                "path": {"type": "string"},
                "body": {"type": "object"},
            },
            "description": "The call that does what `mend` says, where one alone can and you may.",
        },
        "asOf": {"type": ["string", "null"], "format": "date-time"},
    },
}
