"""Domain: a host name that the edge answers on, and the process that it sends the requests to."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from specs.binding import Column, TableBinding
from specs.facts import KindFacts, owner, spec
from specs.fields import Hostname, ProcessType, Slug
from specs.permits import WORK
from specs.resource import Metadata, Resource, Spec


class DomainMetadata(Metadata):
    """The name is the host name; no two environments of any organization have the same."""

    name: Hostname = Field(description="Host name in lower case, such as www.example.com.")
    environment: Slug = Field(description="Name of the environment.")
    app: Slug = Field(description="Slug of the app.")
    organization: Slug = Field(description="Slug of the organization.")


class DomainSpec(Spec):
    """Where requests go."""

    process: ProcessType = Field("web", description="Process type that answers; it needs a port.")


class Domain(Resource):
    """A host name that the edge answers on."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="paas_domains",
        key_column="hostname",
        columns={"process": Column("process_type")},
        parent="Environment",
        parent_column="environment_id",
        after=("Process",),
        deleted_in="paas_domains",
    )
    facts: ClassVar[KindFacts] = KindFacts(
        short=("dom",),
        named="host name",
        example_name="shop.example.com",
        example={"process": "web"},
        part=True,
        permits=WORK,
        columns={"ENVIRONMENT": owner},
        wide={"PROCESS": spec("process")},
        refusals={
            "paas_domains_hostname_unique": (
                "another environment has this host name",
                "delete the domain there first",
            ),
        },
    )
    globally_named: ClassVar[bool] = True

    kind: Literal["Domain"] = "Domain"
    metadata: DomainMetadata
    spec: DomainSpec = Field(default_factory=DomainSpec)
