"""``validate`` and ``schema``: what may be written in a spec file. Neither asks the database."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from controller.actions.paths import ALL, complete_or_all
from controller.actions.validate import check_registries, doubtful, schema_file, write_schemas
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import AgeKey, Files, MoreFiles, Values, read_files, settings
from controller.cli.output import say, warn
from specs.config_vars import KIND as CONFIG_VARS
from specs.schema_export import ANY_KIND, schemas


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(validate)
    app.command()(schema)


def validate(
    files: MoreFiles = None,
    *,
    file: Files = None,
    age_key: AgeKey = None,
    value: Values = None,
    output: Output = Format.TABLE,
) -> None:
    """Check spec files; every problem is named with its file, line, column and field.

    Of what SOPS has encrypted the rest is checked, where no key is given.

    Whether owners and plans exist is not asked here: `plan -f` does. SKYPANEL_ALLOWED_REGISTRIES is taken as it is set
    here.

    **Examples**

        skypanel validate -f specs/
        cat app.yaml | skypanel validate -f -
    """
    entries = read_files(file, files, age_key=age_key, values=value, closed=True)
    check_registries(entries.resources, settings().skypanel_allowed_registries)
    for said in doubtful(entries):
        warn(said)
    for place in entries.closed:
        warn(f"{place}: is encrypted: its values were not checked; --age-key FILE opens it")
    if output is not Format.TABLE:
        emit([{"file": e.file, "line": e.position.line, "resource": str(e.resource.key)} for e in entries.resources]
             + [{"file": v.file, "line": v.document.position(()).line, "resource": v.label} for v in entries.variables],
             output)  # fmt: skip
        return
    counts = Counter(entry.resource.kind for entry in entries.resources)
    counts.update(CONFIG_VARS for _ in entries.variables)
    say(f"valid: {', '.join(f'{count} {kind}' for kind, count in sorted(counts.items()))}")


def schema(
    kind: Annotated[str, typer.Argument(help="A kind, or all.", metavar="KIND", autocompletion=complete_or_all)],
    *,
    into: Annotated[
        Path | None,
        typer.Option(help="A folder to write into; the schema of all names the others beside it.", metavar="FOLDER"),
    ] = None,
) -> None:
    """Print the JSON Schema of a kind, for editors and other programs.

    The HTTP API serves them, too, to everybody: `/schemas/skypanel.json`. An editor takes the one that a spec file
    names in its first lines: `# yaml-language-server: $schema=ADDRESS`.

    **Examples**

        skypanel schema environment > environment.json
        skypanel schema all --into .schema
    """
    if into is not None:
        for name in write_schemas(kind, into):
            say(f"{into / name} written")
        return
    name = ANY_KIND if kind.lower() == ALL else schema_file(kind)
    emit(schemas()[name], Format.JSON)
