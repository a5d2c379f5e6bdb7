"""Organization: a tenant, with a network of its own.

The panel owns ``organizations`` and ``organization_members``: a row is inserted when it is absent and never
changed. What the platform adds is in ``paas_organizations``.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from specs.binding import AttachedTable, Column, Reference, TableBinding
from specs.facts import SAID, KindFacts, detail
from specs.fields import Email, Flag, Line, MemoryText, NetworkPrefix, Quota, Slug
from specs.permits import ADMIN, PLATFORM_ADMIN
from specs.resource import Metadata, Resource, Spec

_OWNER = Reference(table="users", key_column="email")


class OrganizationMetadata(Metadata):
    """The name is the organization's slug."""

    name: Slug = Field(description="Slug of the organization.")


class OrganizationSpec(Spec):
    """A tenant."""

    display_name: Line | None = Field(None, description="Display name; used when the organization is created.")
    owner: Email | None = Field(
        None, description="E-mail address of the owning user; needed when the organization is to be created."
    )
    suspended: Flag = Field(False, description="Stops everything that the organization runs.")
    network_prefix: NetworkPrefix = Field(
        24, description="Prefix length of the organization's network: 24 holds about 120 tasks."
    )
    quota_apps: Quota | None = Field(None, description="Apps that it may have; not limited when left out.")
    quota_environments: Quota | None = Field(
        None, description="Environments that it may have; not limited when left out."
    )
    quota_tasks: Quota | None = Field(
        None, description="Replicas that it may declare, also of what is suspended; not limited when left out."
    )
    quota_cores: Quota | None = Field(
        None, description="Cores that all its tasks together may use; not limited when left out."
    )
    quota_memory: MemoryText | None = Field(
        None, description='Memory that all its tasks together may use: "64Gi"; not limited when left out.'
    )
    quota_domains: Quota | None = Field(None, description="Host names that it may have; not limited when left out.")
    quota_config_vars: Quota | None = Field(
        None, description="Config vars that it may have, of all layers; not limited when left out."
    )


class Organization(Resource):
    """A tenant, with a network of its own."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="organizations",
        key_column="slug",
        columns={
            "display_name": Column("name", key_by_default=True),
            "owner": Column("owner_id", reference=_OWNER),
        },
        insert_only=True,
        attached=(
            AttachedTable(
                "organization_members",
                "organization_id",
                {"owner": Column("user_id", reference=_OWNER)},
                constants={"role": "owner"},
                insert_only=True,
            ),
            AttachedTable(
                "paas_organizations",
                "organization_id",
                {
                    "suspended": Column("suspended"),
                    "network_prefix": Column("network_prefix"),
                    "quota_apps": Column("quota_apps"),
                    "quota_environments": Column("quota_environments"),
                    "quota_tasks": Column("quota_tasks"),
                    "quota_cores": Column("quota_cores"),
                    "quota_memory": Column("quota_memory_mb", from_db=lambda mebibytes: f"{mebibytes}Mi"),
                    "quota_domains": Column("quota_domains"),
                    "quota_config_vars": Column("quota_config_vars"),
                },
            ),
        ),
        deleted_in="paas_organizations",
    )
    facts: ClassVar[KindFacts] = KindFacts(
        short=("org",),
        tenant=True,
        areas=("paas", "admin"),
        example_name="acme",
        example={"owner": "ops@acme.example", "quotaTasks": 40},
        configurable=True,
        reconciled=True,
        permits={
            "write": PLATFORM_ADMIN,  # quotas are in its spec
            "delete": PLATFORM_ADMIN,
            "config": ADMIN,
            "suspend": PLATFORM_ADMIN,
            "admin": ADMIN,
        },
        columns={"SUBNET": detail("subnet")},
        refusals={
            "organizations_slug_key": ("an organization with this slug exists", "run it again"),
            "paas_organizations_quota": (
                SAID,
                "lower or remove something of it, or raise its quota: `skypanel describe organization` shows both",
            ),
        },
    )

    kind: Literal["Organization"] = "Organization"
    metadata: OrganizationMetadata
    spec: OrganizationSpec = Field(default_factory=OrganizationSpec)
