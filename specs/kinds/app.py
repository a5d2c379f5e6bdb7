"""App: what an organization runs in one or more environments."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from specs.binding import Column, TableBinding
from specs.facts import KindFacts, detail
from specs.fields import Flag, Line, RepositoryUrl, Slug
from specs.permits import ADMIN, MEMBER
from specs.resource import RENAMED_FROM, Metadata, Resource, Spec


class AppMetadata(Metadata):
    """The name is the app's slug, unique in its organization."""

    name: Slug = Field(description="Slug of the app.")
    renamed_from: Slug | None = Field(None, description=RENAMED_FROM)
    organization: Slug = Field(description="Slug of the organization.")


class AppSpec(Spec):
    """An app."""

    display_name: Line | None = Field(None, description="Display name; the app's name when left out.")
    suspended: Flag = Field(False, description="Stops every environment of the app.")
    repo_url: RepositoryUrl | None = Field(None, description="Git repository that it is built from.")
    buildpack: Line | None = Field(None, description="Buildpack that builds it.")


class App(Resource):
    """What an organization runs in one or more environments."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="paas_apps",
        key_column="slug",
        columns={
            "display_name": Column("name", key_by_default=True),
            "suspended": Column("suspended"),
            "repo_url": Column("repo_url"),
            "buildpack": Column("buildpack"),
        },
        parent="Organization",
        parent_column="organization_id",
        deleted_in="paas_apps",
    )
    facts: ClassVar[KindFacts] = KindFacts(
        status_from="Environment",
        example_name="shop",
        example={"displayName": "Shop"},
        configurable=True,
        limits_tokens=True,
        permits={"write": MEMBER, "delete": ADMIN, "config": MEMBER},
        inert={
            "repo_url": "nothing is built from it; name the image of each environment",
            "buildpack": "nothing is built with it; name the image of each environment",
        },
        columns={"ENVIRONMENTS": detail("environments")},
        refusals={
            "paas_apps_organization_not_deleted": (
                "its organization is being removed from the platform",
                "apply the Organization as well to use it again",
            ),
        },
    )

    kind: Literal["App"] = "App"
    metadata: AppMetadata
    spec: AppSpec = Field(default_factory=AppSpec)
