"""Whatever a client of the API could stumble over is named, and what it cannot is not."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from controller.api import reference
from controller.api.breaking import breaking

ADDRESS = "/api/things/{name}"
OLD: dict[str, Any] = {
    "paths": {
        ADDRESS: {
            "put": {
                "operationId": "putThing",
                "parameters": [
                    {"in": "path", "name": "name", "required": True, "schema": {"type": "string", "minLength": 1}},
                    {"in": "query", "name": "wait", "schema": {"type": "integer", "maximum": 600}},
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Sent"}}},
                },
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                    "201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                },
            },
            "get": {
                "operationId": "getThing",
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
                },
            },
        },
    },
    "components": {
        "schemas": {
            "Sent": {
                "type": "object",
                "required": ["image"],
                "properties": {
                    "image": {"type": "string", "maxLength": 255},
                    "mode": {"enum": ["image", "buildpack"]},
                    "command": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
                    "below": {"$ref": "#/components/schemas/Sent"},
                },
            },
            "Thing": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "tone": {"type": ["string", "null"]}},
            },
        }
    },
}
PUT, GET = f"PUT {ADDRESS}", f"GET {ADDRESS}"


def after(path: str, value: object) -> list[str]:
    """What is said when the place of the document has the value; None: it is not there any more."""
    new = copy.deepcopy(OLD)
    *above, last = path.replace("ADDRESS", ADDRESS.replace("/", "~")).split("/")
    node: Any = new
    for part in above:
        node = node[int(part)] if isinstance(node, list) else node[part.replace("~", "/")]
    if value is not None:
        node[int(last) if isinstance(node, list) else last.replace("~", "/")] = value
    else:
        del node[int(last) if isinstance(node, list) else last.replace("~", "/")]
    return breaking(OLD, new)


SENT, THING = "components/schemas/Sent", "components/schemas/Thing"
OPERATION = "paths/ADDRESS/put"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("paths/ADDRESS", None, [f"{PUT}: is not there any more", f"{GET}: is not there any more"]),
        ("paths/ADDRESS/get", None, [f"{GET}: is not there any more"]),
        (f"{OPERATION}/operationId", "makeThing", [f"{PUT}: is called makeThing, and was putThing"]),
        (f"{OPERATION}/parameters/1", None, [f"{PUT}: takes no query parameter wait any more"]),
        (f"{OPERATION}/parameters/1/required", True, [f"{PUT}: needs the query parameter wait"]),
        (f"{OPERATION}/parameters/1/schema/maximum", 60, [f"{PUT}: wait has another maximum: 60"]),
        (f"{OPERATION}/parameters/0/schema/minLength", 2, [f"{PUT}: name has another minLength: 2"]),
        (f"{OPERATION}/requestBody", None, [f"{PUT}: takes no body any more"]),
        (f"{OPERATION}/requestBody/content", {}, [f"{PUT}: takes no application/json any more"]),
        (f"{OPERATION}/responses/201", None, [f"{PUT}: answers 201 no more"]),
        (f"{OPERATION}/responses/201/content", {}, [f"{PUT}: answers no application/json with 201"]),
        (f"{SENT}/required", ["image", "mode"], [f"{PUT}: the body needs mode"]),
        (f"{SENT}/properties/image/type", "object", [f"{PUT}: the body.image takes no string"]),
        (f"{SENT}/properties/image/maxLength", 64, [f"{PUT}: the body.image has another maxLength: 64"]),
        (f"{SENT}/properties/image/pattern", "^a", [f"{PUT}: the body.image has another pattern: ^a"]),
        (f"{SENT}/properties/image/enum", ["a"], [f"{PUT}: the body.image takes only a"]),
        (f"{SENT}/properties/mode/enum", ["image"], [f"{PUT}: the body.mode takes no buildpack"]),
        (f"{SENT}/properties/mode", None, [f"{PUT}: the body takes no mode"]),
        (f"{SENT}/additionalProperties", False, [f"{PUT}: the body takes no other fields"]),
        (f"{SENT}/properties/command/anyOf/0", None, [f"{PUT}: the body.command takes no string"]),
        (
            f"{SENT}/properties/command/anyOf/1/items/type",
            "integer",
            [f"{PUT}: the body.command[] takes no string"],
        ),
        (
            f"{THING}/properties/name",
            None,
            [f"{place}: the answer {code} says no name" for place, code in ((PUT, 200), (PUT, 201), (GET, 200))],
        ),
        (
            f"{THING}/required",
            [],
            [f"{place}: the answer {code} may leave name out" for place, code in ((PUT, 200), (PUT, 201), (GET, 200))],
        ),
        (
            f"{THING}/properties/name/type",
            ["string", "null"],
            [f"{place}: the answer {code}.name may be null" for place, code in ((PUT, 200), (PUT, 201), (GET, 200))],
        ),
    ],
)  # fmt: skip
def test_what_a_client_would_stumble_over_is_named(path: str, value: object, said: list[str]) -> None:
    assert after(path, value) == said


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("paths/~api~others", {"get": {"operationId": "getOthers", "responses": {}}}),
        (f"{OPERATION}/parameters/1/schema/maximum", 6000),
        (f"{OPERATION}/requestBody/required", False),
        (f"{OPERATION}/responses/202", {"content": {}}),
        (f"{SENT}/properties/size", {"type": "string"}),
        (f"{SENT}/properties/mode/enum", ["image", "buildpack", "function"]),
        (f"{SENT}/properties/image/type", ["string", "null"]),
        (f"{SENT}/required", []),
        (f"{SENT}/properties/command/anyOf", [{"type": ["string", "array"], "items": {"type": "string"}}]),
        (f"{THING}/properties/more", {"type": "string"}),
        (f"{THING}/required", ["name", "tone"]),
        (f"{THING}/properties/tone/type", "string"),
    ],
)
def test_what_is_added_or_taken_besides_breaks_nobody(path: str, value: object) -> None:
    assert after(path, value) == []


def test_the_contract_that_is_kept_is_kept() -> None:
    now = reference.contract()
    assert reference.changed(now) == []
    assert json.loads(reference.CONTRACT.read_text(encoding="utf-8")) == now, "python -m controller.api.reference"
