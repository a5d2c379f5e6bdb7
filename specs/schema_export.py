"""Writes the JSON Schemas that editors check specs with: ``python -m specs.schema_export [--check]``.

What other installed packages bring is left out, unless they are named, with a folder of one's own:

    python -m specs.schema_export --package acme-things --into schema/

One file a kind, and ``skypanel.json`` that picks by ``kind``; a spec file names it in its first lines:

    # yaml-language-server: $schema=../schema/skypanel.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from specs.config_vars import KIND as CONFIG_VARS
from specs.config_vars import ConfigVars
from specs.kinds import KINDS, PACKAGES

FOLDER = Path(__file__).parent / "schema"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ANY_KIND = "skypanel.json"


def schemas(kinds: Iterable[str] = KINDS) -> dict[str, dict[str, Any]]:
    """Every schema by its file name: of ``kinds``, and of any one of them."""
    kinds = [*kinds, CONFIG_VARS]
    files = {f"{kind.lower()}.json": _kind_schema(kind) for kind in kinds}
    files[ANY_KIND] = {
        "$schema": DIALECT,
        "title": "SkyPanel resource",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"kind": {"enum": kinds}},
        "allOf": [
            {"if": {"properties": {"kind": {"const": kind}}}, "then": {"$ref": f"{kind.lower()}.json"}}
            for kind in kinds
        ],
    }
    return files


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with ``--check`` say which are not current; exit code 1 when any is not."""
    parser = argparse.ArgumentParser(prog="python -m specs.schema_export", description="Write the JSON Schemas.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not current")
    parser.add_argument("--package", action="append", default=[], help="with its kinds; needs --into")
    parser.add_argument("--into", type=Path, default=FOLDER, help="a folder of one's own", metavar="FOLDER")
    given = parser.parse_args(arguments)
    check, folder = given.check, given.into
    if unknown := sorted(set(given.package) - set(PACKAGES.values())):
        parser.error(f"no installed package {', '.join(unknown)} brings kinds")
    if given.package and folder == FOLDER:
        parser.error("--package needs --into: the project's own schemas do not depend on what is installed")
    kinds = [kind for kind in KINDS if PACKAGES.get(kind) in {None, *given.package}]
    wanted = {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas(kinds).items()}
    present = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.json")}
    stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    if check:
        for name in stale:
            sys.stderr.write(f"{folder / name} is not current: run `python -m specs.schema_export`\n")
        return 1 if stale else 0
    folder.mkdir(exist_ok=True)
    for name in stale:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        elif folder == FOLDER:
            (folder / name).unlink()
    return 0


def _kind_schema(kind: str) -> dict[str, Any]:
    model = ConfigVars if kind == CONFIG_VARS else KINDS[kind]
    schema = model.model_json_schema(by_alias=True, mode="validation")
    schema["properties"]["kind"]["description"] = schema["description"]
    schema["required"] = sorted({"apiVersion", "kind", *schema["required"]})
    return {"$schema": DIALECT, **_plain(schema)}


def _plain(node: Any) -> Any:
    """Without the titles that pydantic makes of field names (an editor shows the names), in plain words."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if isinstance(node, str):
        return node.replace("``", "`")
    if not isinstance(node, dict):
        return node
    named = ("properties", "$defs")  # their keys are names, not keywords
    return {
        key: {name: _plain(value) for name, value in item.items()} if key in named else _plain(item)
        for key, item in node.items()
        if key != "title"
    }


if __name__ == "__main__":
    sys.exit(main())
