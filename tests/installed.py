"""Installs a package of one's own into a folder, as pip leaves it there, and runs programs that find it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]


def install(folder: Path, name: str, module: str, files: Mapping[str, str]) -> None:
    """Put ``files`` below ``folder``, as the distribution ``name`` whose entry point names ``module``."""
    metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    given = {
        str(metadata / "METADATA"): f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        str(metadata / "entry_points.txt"): f"[skypanel.kinds]\nit = {module}\n",
        **{str(folder / path): text for path, text in files.items()},
    }
    for path, text in given.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")


def run(folder: Path, *arguments: str, code: int = 0, **environment: str) -> str:
    """What ``python ARGUMENTS`` says where the packages of ``folder`` are installed; both its streams."""
    path = os.pathsep.join([str(ROOT), str(folder)])
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment, "PYTHONPATH": path},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


MODEL = '''
from typing import ClassVar, Literal

from pydantic import Field

from specs.binding import Column, TableBinding
from specs.facts import KindFacts, spec
from specs.fields import Line, Slug
from specs.resource import Metadata, Resource, Spec


class GadgetMetadata(Metadata):
    """The name is unique in its organization."""

    name: Slug = Field(description="Name of the gadget.")
    organization: Slug = Field(description="Slug of the organization.")


class GadgetSpec(Spec):
    """A gadget."""

    colour: Line | None = Field(None, description="Its colour.")


class Gadget(Resource):
    """Something of one's own."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="acme_gadgets", key_column="name", columns={"colour": Column("colour")},
        parent="Organization", parent_column="organization_id", deleted_in="acme_gadgets",
    )
    facts: ClassVar[KindFacts] = KindFacts(short=("gad",), reconciled=True, columns={"COLOUR": spec("colour")})

    kind: Literal["Gadget"] = "Gadget"
    metadata: GadgetMetadata
    spec: GadgetSpec = Field(default_factory=GadgetSpec)
'''
RECONCILER = """
from pydantic import BaseModel

from reconcilers.conditions import ready
from reconcilers.objects import Objects
from reconcilers.outcomes import Done
from reconcilers.registry import reconciler


class Snapshot(BaseModel):
    id: str


def preview(snapshot, ahead):
    return Objects()


@reconciler("gadget", snapshot=Snapshot, preview=preview)
async def reconcile(context, snapshot):
    return Done()
"""
MIGRATION = """-- Gadgets.
CREATE TABLE IF NOT EXISTS public.acme_gadgets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES public.organizations (id) ON DELETE CASCADE,
    name text NOT NULL, colour text, deleted_at timestamptz, generation bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE OR REPLACE VIEW skypanel.snapshot_gadget AS
    SELECT id, organization_id, generation, deleted_at IS NOT NULL AS deleted, jsonb_build_object('id', id) AS doc
      FROM public.acme_gadgets;
CALL skypanel.declare_kind('gadget', 'acme_gadgets', parent => 'organization', parent_column => 'organization_id',
                           reconciled => true, wakes_on => '{organization}');
CALL skypanel.bound_table('public.acme_gadgets');
"""
GADGETS = {
    "acme_gadgets/__init__.py": "",
    "acme_gadgets/model.py": MODEL,
    "acme_gadgets/reconciler.py": RECONCILER,
    "acme_gadgets/migrations/0001_gadgets.sql": MIGRATION,
}
"""A package with a kind, its reconciler and its migration."""
