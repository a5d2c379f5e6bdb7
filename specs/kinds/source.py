"""Source: files of a repository or a folder, declared for an organization; its password is no part of any document."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from specs.binding import Column, TableBinding
from specs.facts import KindFacts, Shown, detail
from specs.fields import (
    Armors,
    Commit,
    Duration,
    Flag,
    Folder,
    RegistryUser,
    Revision,
    Signers,
    Slug,
    SourceUrl,
    SourceValues,
)
from specs.permits import ADMIN
from specs.problems import RefusedError
from specs.resource import Declared, Metadata, Resource, Spec
from specs.units import seconds_of

SHORTEST, LONGEST = timedelta(seconds=10), timedelta(days=1)


class SourceMetadata(Metadata):
    """The name is unique in its organization."""

    name: Slug = Field(description="Name of the source.")
    organization: Slug = Field(description="Slug of the organization, all of whose files it declares.")


class Verify(Declared):
    """Who has to have signed a commit: one of these keys."""

    ssh: Signers = Field(
        (),
        description="Lines of SSH's allowed signers: `ada@example.com ssh-ed25519 AAAA...`; a time may stand before.",
    )
    openpgp: Armors = Field((), description="OpenPGP public keys in their armor.")

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.ssh and not self.openpgp:
            raise RefusedError("names nobody", "list keys under ssh or openpgp, or leave verify out")
        return self


def _verify_to_db(verify: Verify) -> dict[str, list[str]]:
    """The JSON document of ``verify``."""
    return {name: list(keys) for name, keys in (("ssh", verify.ssh), ("openpgp", verify.openpgp)) if keys}


class SourceSpec(Spec):
    """Where files are read, and how often. A password is set with ``skypanel source password``."""

    repository: SourceUrl | None = Field(
        None, description="Address of a git repository: https://git.example.com/team/specs.git, or ssh://git@host/path"
    )
    directory: Folder | None = Field(
        None, description="In its place a folder of the controller's machine, below SKYPANEL_SOURCE_ROOT/ORGANIZATION."
    )
    branch: Revision = Field("main", description="Branch that is followed.")
    tag: Revision | None = Field(None, description="Tag that is followed, in place of the branch.")
    commit: Commit | None = Field(None, description="The only commit that is read, in place of the branch.")
    path: Folder = Field(".", description="Folder in it whose YAML files are read, to the bottom.")
    interval: Duration = Field(timedelta(seconds=60), description="Time between two looks, from 10s to 24h.")
    prune: Flag = Field(False, description="What it has declared and declares no longer is deleted.")
    verify: Verify | None = Field(None, description="A commit is declared only where one of these has signed it.")
    values: SourceValues | None = Field(
        None, description="What ${NAME} in its files stands for: text, numbers, true or false. Left out: nothing is."
    )
    suspended: Flag = Field(False, description="It is not looked at; what it has declared stays.")
    username: RegistryUser | None = Field(
        None, description="User of the repository; the password is set with `skypanel source password`."
    )

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if (self.repository is None) == (self.directory is None):
            raise RefusedError("has a repository and a directory, or neither", "give one of them")
        if self.verify is not None and self.repository is None:
            raise RefusedError("has signers and no repository", "a folder has no commits, so nobody signs them")
        if self.tag is not None and self.commit is not None:
            raise RefusedError("has a tag and a commit", "give one of them, or none: then it is the branch")
        if not SHORTEST <= self.interval <= LONGEST:
            raise RefusedError("has an interval that is too short or too long", "from 10s to 24h")
        return self


def _place(shown: Shown) -> object:
    return shown.spec.get("repository") or shown.spec.get("directory")


def _commit(shown: Shown) -> object:
    return str(shown.details.get("applied") or "")[:12] or None


class Source(Resource):
    """A repository or a folder whose spec files are declared for an organization."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="paas_sources",
        key_column="name",
        columns={
            "repository": Column("repo_url"),
            "directory": Column("directory"),
            "branch": Column("branch"),
            "tag": Column("tag"),
            "commit": Column("commit"),
            "path": Column("path"),
            "interval": Column(
                "interval_seconds", to_db=seconds_of, from_db=lambda seconds: timedelta(seconds=seconds)
            ),
            "prune": Column("prune"),
            "verify": Column("verify", to_db=_verify_to_db, json=True),
            "values": Column("overlay", json=True),
            "suspended": Column("suspended"),
            "username": Column("username", kept=True),
        },
        parent="Organization",
        parent_column="organization_id",
        deleted_in="paas_sources",
    )
    facts: ClassVar[KindFacts] = KindFacts(
        short=("src",),
        areas=("paas",),
        example={"repository": "https://git.example.com/team/specs.git", "branch": "main", "path": "production"},
        reconciled=True,
        declares=True,
        permits={"config": ADMIN},
        columns={"PLACE": _place, "COMMIT": _commit, "OBJECTS": detail("objects")},
        refusals={
            "paas_sources_name_unique": ("the organization has a source of this name", "run it again"),
        },
    )

    kind: Literal["Source"] = "Source"
    metadata: SourceMetadata
    spec: SourceSpec
