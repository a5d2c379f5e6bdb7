"""Registry: whose images an organization may pull with a user of its own; the password is no part of any document."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from specs.binding import Column, TableBinding
from specs.facts import KindFacts, spec
from specs.fields import RegistryHost, RegistryUser, Slug
from specs.permits import ADMIN
from specs.resource import Metadata, Resource, Spec


class RegistryMetadata(Metadata):
    """The name is the registry's host, with its port where it has one; unique in its organization."""

    name: RegistryHost = Field(description="Host as image references have it: ghcr.io, or docker.io for Docker Hub.")
    organization: Slug = Field(description="Slug of the organization.")


class RegistrySpec(Spec):
    """Who asks. The password is set with ``skypanel registries set``, and is never given back."""

    username: RegistryUser = Field(description="User; the password is set with `skypanel registries set`.")


class Registry(Resource):
    """A registry that an organization pulls images from with a user of its own."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="caas_registry_credentials",
        key_column="registry",
        columns={"username": Column("username")},
        parent="Organization",
        parent_column="organization_id",
    )
    facts: ClassVar[KindFacts] = KindFacts(
        plural="registries",
        areas=("caas",),
        example_name="ghcr.io",
        example={"username": "ci"},
        short=("reg",),
        named="host",
        reconciled=True,
        signs_in=True,
        permits={"config": ADMIN},
        columns={"USERNAME": spec("username")},
        refusals={
            "caas_registry_credentials_once": (
                "the organization has a user for this registry",
                "run it again",
            ),
        },
    )

    kind: Literal["Registry"] = "Registry"
    metadata: RegistryMetadata
    spec: RegistrySpec
