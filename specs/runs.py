"""The document that the database gives of a run: what is to be run, in what, and what is on record of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, ValidationError

from specs.fields import CheckCommand, Flag, ReleaseVersion, Slug
from specs.problems import InvalidSpec, Problem
from specs.snapshot_parts import AppReference, OrganizationReference, Part, PlanSnapshot, ProcessSnapshot
from specs.snapshots import EnvironmentSnapshot, HealthcheckSnapshot

PROCESS = "run"
"""The type of process that a run is, to its program and in its container's labels."""
Outcome = Literal["succeeded", "failed", "timed_out", "stopped", "not_started", "unknown"]


class RunRecord(Part):
    """What is on record of a run.

    Args:
        service_id: id of the one object on the Swarm whose task may be let begin; None: it was not let begin.
        begun_at: when that was written down.
        release: version of the release that it runs in.
        missing_at: when that object was found to be gone, and nobody had asked for that.
        ending: what it will have come to when it has stopped, as it was asked to; ``ending_message`` says why.
        started_at: when its program was seen to run.
        finished_at: when its end was written down.
        outcome: what it came to; None: it is not over.
        exit_code: of its program; None: not known, or it had none.
        message: how it ended, in words; never what it printed.
    """

    service_id: str | None = None
    begun_at: datetime | None = None
    release: int | None = None
    missing_at: datetime | None = None
    ending: Outcome | None = None
    ending_message: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    exit_code: int | None = None
    message: str | None = None


class ReleasedSnapshot(Part):
    """The release that it runs in, and its image as tasks run it."""

    version: ReleaseVersion
    image: str


class RunSnapshot(Part):
    """``skypanel.snapshot_run``. ``environment`` is the whole document of its environment, in that release, as long as
    it is not over; it is read when something is made of it, so that what is wrong in it loses no run that began.
    """

    id: UUID
    name: Slug
    command: CheckCommand
    timeout_seconds: int = Field(3600, ge=1, le=86_400)
    stopped: Flag = False
    created_at: datetime
    organization: OrganizationReference
    app: AppReference
    environment: dict[str, Any]
    suspended: Flag = False
    paused: str | None = None
    """Why the environment is paused; None: it is not."""
    plan: PlanSnapshot | None = None
    released: ReleasedSnapshot | None = None
    record: RunRecord = RunRecord()

    def in_environment(self) -> EnvironmentSnapshot:
        """Its environment in the release that it runs in.

        Raises:
            InvalidSpec: nothing was released yet, or the document breaks a rule.
        """
        if self.released is None:
            hint = "deploy it first, or name a release"
            raise InvalidSpec([Problem("release", None, "its environment has no release to run it in", hint)])
        try:
            found = EnvironmentSnapshot.model_validate(self.environment)
        except ValidationError as error:
            raise InvalidSpec.of(error) from None
        image = self.released.image
        return found.model_copy(update={"image_ref": image, "by_tag": "@" not in image})

    def as_process(self, found: EnvironmentSnapshot) -> EnvironmentSnapshot:
        """``found`` with the command as its only process, asked by no check, and nothing that is about serving."""
        process = ProcessSnapshot(
            id=self.id,
            type=PROCESS,
            command=self.command[:1],
            args=self.command[1:] or None,
            port=found.port,
            healthcheck=HealthcheckSnapshot(disabled=True),
        )
        limits = {"plan": self.plan, "cpu_limit": None, "memory_mb": None} if self.plan is not None else {}
        alone = {"processes": (process,), "domains": (), "left_out": (), "canary": None}
        kept = {"drain_seconds": None, "restart": None, "restart_token": None, "follow_seconds": None}
        return found.model_copy(update={**alone, **kept, **limits, "of_run": self.id})
