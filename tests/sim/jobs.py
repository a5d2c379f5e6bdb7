"""A job for each environment, which no kind of ours declares yet: what tests put into what an environment renders.

It is another when the image is. It ends well, but for images of the tag ``bad``, with which it fails, and of ``long``,
with which it never ends; with ``each`` it is run on every node. What is told of it is in ``SAID``.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcilers import environment as kind
from reconcilers import labels, registry
from reconcilers.environment import service
from reconcilers.environment.gates import home
from reconcilers.jobs import Job, JobProgress
from reconcilers.objects import HomeNetwork, Objects
from reconcilers.outcomes import Done, Outcome, RequeueAfter
from reconcilers.ports import Context, Options
from specs.snapshots import EnvironmentSnapshot
from tests.sim.scenarios.environment import WEB

BAD, LONG, EACH = (f"127.0.0.1:5000/web:{tag}" for tag in ("bad", "long", "each"))
POLL_SECONDS = 0.5
render = service.render
SAID: list[JobProgress] = []
"""What was told of jobs in this run."""


def job(snapshot: EnvironmentSnapshot, options: Options, network: HomeNetwork) -> Job:
    """What is run once for each image: three tasks, two at a time, or one that fails twice, or one on each node."""
    bad = snapshot.image_ref == BAD
    arguments = ["worker"] if snapshot.image_ref == LONG else ["crash", "3" if bad else "0"]
    container = {"Image": WEB, "Args": arguments, "Env": [f"IMAGE={snapshot.image_ref}"]}
    template = {"ContainerSpec": container, "Networks": [{"Target": network.id}]}
    name = name_of(str(snapshot.id))
    owned = labels.owned(options.installation, "environment", str(snapshot.id), str(snapshot.organization.id))
    if snapshot.image_ref == EACH:
        return Job.everywhere(name, template, labels=owned)
    return Job.times(
        name,
        template,
        labels=owned,
        completions=1 if bad else 3,
        concurrency=2,
        retries=1,
        retry_seconds=0.2,
    )


def name_of(environment_id: str) -> str:
    return f"migrate-{environment_id}"


def with_job(snapshot: EnvironmentSnapshot, options: Options, network: HomeNetwork) -> Objects:
    objects = render(snapshot, options, network)
    return replace(objects, objects=(job(snapshot, options, network), *objects.objects))


async def watching(context: Context, snapshot: EnvironmentSnapshot) -> Outcome:
    """The kind's body, and a look at its job."""
    outcome = await kind.reconcile_environment(context, snapshot)
    (found,) = await context.observe_jobs([job(snapshot, context.options, home(snapshot, context.live))])
    SAID.append(found)
    polled = POLL_SECONDS and not found.over and isinstance(outcome, Done)
    return RequeueAfter(POLL_SECONDS) if polled else outcome


def install(patch: pytest.MonkeyPatch) -> None:
    """Give each environment its job."""
    SAID.clear()
    made = registry.registered()["environment"]
    patch.setattr(kind, "render", with_job)
    patch.setitem(registry._registered, "environment", replace(made, body=watching))
