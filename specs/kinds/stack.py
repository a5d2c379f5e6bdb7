"""Stack: a builder image, a run image, and buildpacks in an order, that apps are built with; the platform's."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from specs.binding import Column, TableBinding, listed
from specs.facts import KindFacts, spec
from specs.fields import Flag, Image, Paragraph, Slug, Slugs
from specs.permits import VIEWER
from specs.resource import RENAMED_FROM, Metadata, Resource, Spec

_NOTHING = "nothing is built yet; name the image of each environment"


class StackMetadata(Metadata):
    """Stacks belong to the platform, not to an organization."""

    name: Slug = Field(description="Name of the stack.")
    renamed_from: Slug | None = Field(None, description=RENAMED_FROM)


class StackSpec(Spec):
    """What builds, and what the result stands on."""

    description: Paragraph | None = Field(None, description="Description of the stack.")
    builder_image: Image = Field(description="Image that builds.")
    run_image: Image = Field(description="Image that what is built stands on.")
    buildpacks: Slugs = Field((), description="Names of buildpacks, in the order in which they are tried.")
    enabled: Flag = Field(True, description="Whether it is offered.")


class Stack(Resource):
    """What apps are built with, and stand on."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="paas_stacks",
        key_column="name",
        columns={
            "description": Column("description"),
            "builder_image": Column("builder_image"),
            "run_image": Column("run_image"),
            "buildpacks": Column("buildpacks", to_db=listed),
            "enabled": Column("enabled"),
        },
        after=("Buildpack",),
    )
    facts: ClassVar[KindFacts] = KindFacts(
        permits={"read": VIEWER},  # whoever chooses one
        offered="enabled",
        example_name="jammy",
        example={
            "builderImage": "docker.io/paketobuildpacks/builder-jammy-base:0.4",
            "runImage": "docker.io/paketobuildpacks/run-jammy-base:0.1",
        },
        images=("builder_image", "run_image"),
        inert=dict.fromkeys(("builder_image", "run_image", "buildpacks"), _NOTHING),
        columns={"BUILDER": spec("builderImage"), "RUN": spec("runImage"), "ENABLED": spec("enabled")},
        wide={"BUILDPACKS": lambda shown: ", ".join(shown.spec.get("buildpacks") or ()) or None},
        refusals={
            "paas_stacks_buildpacks_known": (
                "names a buildpack that is not there, or one twice",
                "`skypanel get buildpacks` lists them",
            ),
        },
    )

    kind: Literal["Stack"] = "Stack"
    metadata: StackMetadata
    spec: StackSpec
