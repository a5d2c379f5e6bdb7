"""Mailbox: an organization's mail server, with an account at a postmaster for its domain; aliases are its parts."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from specs.binding import Column, TableBinding
from specs.facts import KindFacts, owner, spec, tasks
from specs.fields import Hostname, Image, Line, Slug
from specs.resource import Metadata, Resource, Spec


class MailboxMetadata(Metadata):
    """The name is unique in its organization."""

    name: Slug = Field(description="Name of the mailbox.")
    organization: Slug = Field(description="Slug of the organization.")


class MailboxSpec(Spec):
    """What serves the mail, and for which domain."""

    image: Image = Field(description="Image of the mail server.")
    domain: Hostname = Field(description="Domain that mail is taken for.")


class Mailbox(Resource):
    """A mail server of an organization."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="acme_mailboxes",
        key_column="name",
        columns={"image": Column("image_ref"), "domain": Column("domain")},
        parent="Organization",
        parent_column="organization_id",
        deleted_in="acme_mailboxes",
    )
    facts: ClassVar[KindFacts] = KindFacts(
        plural="mailboxes", short=("mbox",), reconciled=True, columns={"DOMAIN": spec("domain"), "TASKS": tasks}
    )

    kind: Literal["Mailbox"] = "Mailbox"
    metadata: MailboxMetadata
    spec: MailboxSpec


class AliasMetadata(Metadata):
    """The name is what stands before the @."""

    name: Slug = Field(description="Name of the alias.")
    mailbox: Slug = Field(description="Name of the mailbox.")
    organization: Slug = Field(description="Slug of the organization.")


class AliasSpec(Spec):
    """Where its mail goes."""

    to: Line = Field(description="Address that gets the mail.")


class Alias(Resource):
    """Another address of a mailbox."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="acme_aliases",
        key_column="name",
        columns={"to": Column("target")},
        parent="Mailbox",
        parent_column="mailbox_id",
        deleted_in="acme_aliases",
    )
    facts: ClassVar[KindFacts] = KindFacts(plural="aliases", part=True, columns={"MAILBOX": owner, "TO": spec("to")})

    kind: Literal["Alias"] = "Alias"
    metadata: AliasMetadata
    spec: AliasSpec


class AliasSnapshot(BaseModel):
    """An alias as the database gives it."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: Slug
    target: Annotated[str, Field(pattern=r".+@.+")]
    generation: int


class MailboxSnapshot(BaseModel):
    """``skypanel.snapshot_mailbox``: rows may be written by anybody with SQL, so every rule is checked again."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    organization_id: UUID
    organization: Slug
    name: Slug
    image_ref: Image
    domain: Hostname
    aliases: tuple[AliasSnapshot, ...] = ()
