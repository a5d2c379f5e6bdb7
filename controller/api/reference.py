"""Writes the API's page and its contract: ``python -m controller.api.reference [--check | --breaking]``.

The contract is what clients rely on: the document of OpenAPI without words, examples and refusals. What would break a
client is named and refused, unless ``--breaking`` says that it is meant.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.api.breaking import breaking
from controller.api.openapi import document
from controller.api.operations import Operation
from controller.api.routes import operations

FOLDER = Path(__file__).parents[2] / "docs/reference"
CONTRACT, PAGE = FOLDER / "api-contract.json", FOLDER / "api.md"
_NAMED = ("properties", "patternProperties", "schemas", "paths")
_WORDS = ("description", "summary", "example", "examples")
_HEAD = """\
# HTTP API, call by call

Made of the API's own document, OpenAPI 3.1, which every installation serves at `/openapi.json` with an example of each
answer, and with the kinds of its [packages](../extending.md). [How it is used](../api.md), with `curl`;
[what problems mean](../problems.md). In braces stand the names of a path; behind a `?` is what may be added; headers
are written as they are. Everything but what is marked open needs a token. A build names each change of the
[contract](api-contract.json) that a client would stumble over, and fails.
"""


def contract() -> dict[str, Any]:
    """What clients rely on: addresses, parameters, bodies, and what is answered where it is done."""
    found = document(operations())
    paths = {
        path: {method: {**each, "responses": _done(each["responses"])} for method, each in methods.items()}
        for path, methods in found["paths"].items()
    }
    bare = _bare({"paths": paths, "components": {"schemas": found["components"]["schemas"]}})
    assert isinstance(bare, dict)
    return {"openapi": found["openapi"], **bare}


def _done(responses: Mapping[str, Any]) -> dict[str, Any]:
    return {code: answer for code, answer in responses.items() if code.startswith("2")}


def _bare(node: Any, *, named: bool = False) -> Any:
    """Without words for people; ``named``: the keys are names of a user's, such as a field called description."""
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = node if named else {key: value for key, value in node.items() if key not in _WORDS}
    return {key: _bare(value, named=not named and key in _NAMED) for key, value in kept.items()}


def page(listed: Sequence[Operation]) -> str:
    """The page, whole: a table for each group of operations."""
    groups: dict[str, list[Operation]] = {}
    for each in listed:
        groups.setdefault(each.group, []).append(each)
    lines = [_HEAD]
    for group, its in groups.items():
        lines += [f"## {group[:1].upper()}{group[1:]}", "", "| Call | Does | Takes |", "|---|---|---|"]
        lines += [f"| `{each.method} {each.address}` | {_cell(_does(each))} | {_cell(_takes(each))} |" for each in its]
        lines.append("")
    return "\n".join(lines)


def _does(each: Operation) -> str:
    return f"{each.summary}{' (open)' if each.open else ''}"


def _takes(each: Operation) -> str:
    return ", ".join(_parts(each))


def _parts(each: Operation) -> Iterator[str]:
    if each.sent is not None:
        yield f"`{_line(each.sent) if isinstance(each.sent, str) else json.dumps(each.sent, ensure_ascii=False)}`"
    for given in each.parameters:
        needed = " (needed)" if given.required else ""
        yield f"`{given.name}`{needed}" if given.header else f"`?{given.name}`{needed}"


def _line(text: str) -> str:
    first, _, more = text.strip().partition("\n")
    return f"{first} …" if more else first


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def changed(now: Mapping[str, Any]) -> list[str]:
    """What clients of the contract that is kept would stumble over."""
    return breaking(json.loads(CONTRACT.read_text(encoding="utf-8")), now) if CONTRACT.exists() else []


def _dumped(found: Mapping[str, Any]) -> str:
    return f"{json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True)}\n"


def main() -> int:
    """Write both, or say what is not as it would be written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if they are not as they would be")
    parser.add_argument("--breaking", action="store_true", help="write it although clients would stumble over it")
    given = parser.parse_args()
    now = contract()
    wanted = {CONTRACT: _dumped(now), PAGE: page(operations())}
    for change in (changes := changed(now)):
        sys.stderr.write(f"breaking: {change}\n")
    if given.check:
        other = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
        for path in other:
            name = path.relative_to(FOLDER.parents[1])
            sys.stderr.write(f"{name} is not of this program: python -m controller.api.reference\n")
        return 1 if other else 0
    if changes and not given.breaking:
        sys.stderr.write("mend it, or say that it is meant, with --breaking and in CHANGELOG\n")
        return 1
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
