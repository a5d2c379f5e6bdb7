"""Run: a command that is to be run once, in an environment: with the image, config vars and limits of its release."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from specs.binding import Column, Reference, TableBinding, listed
from specs.facts import KindFacts, detail, spec
from specs.fields import CheckCommand, Duration, Flag, ReleaseVersion, Slug
from specs.permits import MEMBER, WORK
from specs.problems import RefusedError
from specs.resource import Metadata, Resource, Spec
from specs.units import seconds_of

SHORTEST, USUAL, LONGEST = timedelta(seconds=1), timedelta(hours=1), timedelta(hours=24)


class RunMetadata(Metadata):
    """The name is unique in its environment."""

    name: Slug = Field(description="Name of the run.")
    environment: Slug = Field(description="Name of the environment.")
    app: Slug = Field(description="Slug of the app.")
    organization: Slug = Field(description="Slug of the organization.")


class RunSpec(Spec):
    """What is run; nothing of it changes afterwards, but that it is to be stopped."""

    command: CheckCommand = Field(description="Program with its arguments, in place of the image's own.")
    plan: Slug | None = Field(
        None, description="Name of the plan that limits it, in place of the environment's limits."
    )
    timeout: Duration = Field(USUAL, description="It is stopped when it has not ended after so long; up to 24h.")
    release: ReleaseVersion | None = Field(None, description="Release that it runs in; left out: the one that serves.")
    stopped: Flag = Field(False, description="It is to be stopped; that cannot be taken back.")

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if not SHORTEST <= self.timeout <= LONGEST or self.timeout % timedelta(seconds=1):
            raise RefusedError("has a timeout that is too short, too long, or no whole seconds", "from 1s to 24h")
        return self


class Run(Resource):
    """A command that is run once in an environment."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="paas_runs",
        key_column="name",
        columns={
            "command": Column("command", to_db=listed),
            "plan": Column("plan_id", reference=Reference("paas_plans", "name", kind="Plan")),
            "timeout": Column("timeout_seconds", to_db=seconds_of, from_db=lambda seconds: timedelta(seconds=seconds)),
            "release": Column("release"),
            "stopped": Column("stopped"),
        },
        parent="Environment",
        parent_column="environment_id",
        deleted_in="paas_runs",
    )
    facts: ClassVar[KindFacts] = KindFacts(
        example_name="migrate-1",
        example={"command": ["rake", "db:migrate"], "timeout": "10m"},
        reconciled=True,
        once=True,
        whole_rules=True,
        permits={**WORK, "deploy": MEMBER},
        changed_by={"stopped": "deploy"},
        columns={"COMMAND": lambda shown: " ".join(shown.spec.get("command") or ()), "EXIT": detail("exitCode")},
        wide={"TIMEOUT": spec("timeout"), "RELEASE": detail("release")},
        refusals={
            "paas_runs_made_once": ("is made once and not changed", "make another one, `skypanel run`"),
            "paas_runs_name_unique": ("the environment has a run of this name", "run it again"),
            "paas_runs_release_there": (
                "has no such release",
                "`skypanel releases PATH` lists those that are kept; left out, it is the one that serves",
            ),
        },
    )

    kind: Literal["Run"] = "Run"
    metadata: RunMetadata
    spec: RunSpec
