"""Buildpack: a part that builders make images with, in one version; the platform's."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from specs.binding import Column, TableBinding
from specs.facts import KindFacts, spec
from specs.fields import BuildpackSource, Flag, Line, Slug
from specs.permits import VIEWER
from specs.resource import RENAMED_FROM, Metadata, Resource, Spec


class BuildpackMetadata(Metadata):
    """Buildpacks belong to the platform, not to an organization."""

    name: Slug = Field(description="What stacks call it.")
    renamed_from: Slug | None = Field(None, description=RENAMED_FROM)


class BuildpackSpec(Spec):
    """One version of it."""

    id: Line | None = Field(
        None, description="What builders call it, such as paketo-buildpacks/python; its name when left out."
    )
    version: Line = Field(description='Version: "2.1.0".')
    source: BuildpackSource = Field(description="docker:// and an image, or https:// of an archive.")
    enabled: Flag = Field(True, description="Whether it is offered.")


class Buildpack(Resource):
    """A part that builders make images with."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="paas_buildpacks",
        key_column="slug",
        columns={
            "id": Column("name", key_by_default=True),
            "version": Column("version"),
            "source": Column("source_uri"),
            "enabled": Column("enabled"),
        },
    )
    facts: ClassVar[KindFacts] = KindFacts(
        permits={"read": VIEWER},  # whoever chooses a stack
        offered="enabled",
        example_name="python",
        example={
            "id": "paketo-buildpacks/python",
            "version": "2.1.0",
            "source": "docker://docker.io/paketobuildpacks/python:2.1.0",
        },
        inert=dict.fromkeys(("version", "source"), "nothing is built yet; name the image of each environment"),
        columns={"ID": spec("id"), "VERSION": spec("version"), "ENABLED": spec("enabled")},
        refusals={
            "paas_buildpacks_name_version_unique": (
                "another buildpack has this id in this version",
                "change that one, or give this one its own version",
            ),
            "paas_stack_buildpacks_buildpack_id_fkey": (
                "stacks use this buildpack",
                "take it out of them first: `skypanel get stacks` shows which",
            ),
        },
    )

    kind: Literal["Buildpack"] = "Buildpack"
    metadata: BuildpackMetadata
    spec: BuildpackSpec
