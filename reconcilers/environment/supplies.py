"""What an environment needs before it is rendered and written: what its image is, the values of its config vars, and
what nodes pull with.

Each is asked for only when it is lacking: facts once for each image, values when the engine does not have the secret,
a password when it has not the user that it is to pull with.
So nothing that runs depends on a registry, or on a key, once it was deployed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconcilers import labels
from reconcilers.config_vars import ConfigVars
from reconcilers.environment.config import filled, needed_helper
from reconcilers.environment.login import login_of
from reconcilers.environment.service import pulling
from reconcilers.helper import ARCHITECTURES, Helper, helper_name
from reconcilers.images import Images
from reconcilers.logins import NOBODY
from reconcilers.objects import Config, Objects, Secret, Service
from reconcilers.outcomes import TerminalError, TransientError
from reconcilers.ports import Context
from specs.snapshot_parts import FollowedSnapshot
from specs.snapshots import EnvironmentSnapshot, ImageSnapshot

FACTS = "paas_image_facts"
"""The table of what was found out: one row an environment, of the image that it names."""
_LARGEST = 65_536


async def looked_up(context: Context, snapshot: EnvironmentSnapshot) -> EnvironmentSnapshot:
    """``snapshot`` with what its image is: its content, which a new release runs, and how it starts.

    It is asked for with the organization's own user, so that nobody runs what only another one may pull. It is written
    down, and asked for again only when somebody asks for a look: that a registry is away then is no harm. Nothing is
    asked of what runs by its tag, nor of a release that was run so. Of a tag that is followed, see ``follow``.

    Raises:
        ReconcileError: it cannot be found out; see ``Images``. What runs goes on.
    """
    reference, known = snapshot.image_ref, snapshot.resolved
    fixed = snapshot.pinned is not None  # a release is what it was; what it did not have to know, it still does not
    if reference is None or (known is None and not _helped(snapshot) and (fixed or snapshot.by_tag)):
        return snapshot
    if known is not None and (fixed or snapshot.follow_seconds or not context.requested):
        return snapshot
    try:
        found = await content_of(context, snapshot, reference)
    except (TerminalError, TransientError):
        if known is not None:
            return snapshot
        raise
    if known is not None and _is_same(known, found):  # what was not known of it then restarts nothing
        found = found.model_copy(update={"stop_signal": known.stop_signal, "pinned": known.pinned})
    if found != known:
        await note_facts(context, found)
    return snapshot.model_copy(update={"resolved": found})


def _is_same(known: ImageSnapshot, found: ImageSnapshot) -> bool:
    """Whether a service was made of the same, whenever it was looked up, and by whichever of its digests."""
    one, other = (each.model_dump(exclude={"stop_signal", "digests", "pinned"}) for each in (known, found))
    return one == other and (known.pinned == found.pinned or known.digest in found.digests)


async def content_of(context: Context, snapshot: EnvironmentSnapshot, image: str) -> ImageSnapshot:
    """What is there under ``image``, for the reference that is declared.

    Raises:
        ReconcileError: it cannot be found out, or cannot run here; see ``Images``.
    """
    found = await context.port(Images).look_up(image, context.organization_id, await login_of(context, snapshot))
    reference = snapshot.image_ref or image
    facts = {
        "reference": reference,
        "pinned": found.pinned,
        "architecture": found.architecture,
        "entrypoint": list(found.entrypoint),
        "cmd": list(found.cmd),
        "healthcheck": None if found.healthcheck is None else dict(found.healthcheck),
        "shell": list(found.shell),
        "digests": list(found.digests),
        "stop_signal": found.stop_signal,
    }
    if wrong := _unusable(reference, facts, helped=_helped(snapshot)):
        raise TerminalError("ImageRefused", wrong)
    return ImageSnapshot.model_validate(facts)


async def note_facts(context: Context, found: ImageSnapshot, followed: FollowedSnapshot | None = None) -> None:
    """Write down what was found out, and of a tag that is followed what is to be remembered."""
    said = (followed or FollowedSnapshot()).model_dump(mode="json")
    of_tag = {
        "follow_from": said["moved_from"],
        "follow_reason": said["reason"],
        "follow_message": said["message"],
        "follow_since": said["since"],
    }
    await context.write_row(FACTS, {"environment_id": context.id}, {**found.model_dump(mode="json"), **of_tag})


def _unusable(reference: str, facts: Mapping[str, Any], *, helped: bool) -> str:
    """Why it cannot run here, or nothing of ours in front of its programs; empty when it can."""
    if helped and facts["architecture"] not in ARCHITECTURES:
        return (
            f"{reference} is for {facts['architecture']}; with config vars, drain, or a health check by http or tcp, "
            f"an image has to be for one of {', '.join(ARCHITECTURES)}"
        )
    if len(repr(facts)) > _LARGEST:
        return f"{reference}: entry point, command and health check of the image have more than {_LARGEST} characters"
    return ""


async def supplied(context: Context, snapshot: EnvironmentSnapshot, objects: Objects) -> Objects:
    """``objects``, with values in those secrets that the engine does not have; the helper is there, too.

    Raises:
        ReconcileError: a value cannot be had; see ``ConfigVars``. What runs goes on.
    """
    architecture = snapshot.resolved.architecture if snapshot.resolved else ""
    for version in sorted(_helpers(snapshot)) if architecture else ():
        helper = context.live.find(Config.object_type, helper_name(context.options.installation, architecture, version))
        if helper is None or helper.labels.get(labels.INSTALLATION) != context.options.installation:
            await context.port(Helper).provide(architecture, version)
    objects = await _pulling(context, snapshot, objects)
    if snapshot.config is None or all(_is_there(context, secret) for secret in objects.of(Secret)):
        return objects
    values = await context.port(ConfigVars).values(str(snapshot.id), snapshot.config.digest)
    return filled(objects, snapshot, context.options, values)


async def _pulling(context: Context, snapshot: EnvironmentSnapshot, objects: Objects) -> Objects:
    """``objects``, with what nodes pull with where the engine has another one for some of its services.

    Raises:
        ReconcileError: it cannot be had; see ``Logins``. What runs goes on.
    """
    live = ((service, context.live.find(Service.object_type, service.name)) for service in objects.services)
    if all((found.labels.get(labels.PULLS_AS, "") if found else "") == service.pulls_as for service, found in live):
        return objects
    return pulling(objects, await pull_of(context, snapshot))


async def pull_of(context: Context, snapshot: EnvironmentSnapshot) -> str:
    """What nodes pull its image with.

    Raises:
        ReconcileError: it cannot be had; see ``Logins``.
    """
    login = await login_of(context, snapshot)
    return NOBODY if login is None else login.header


def _is_there(context: Context, secret: Secret) -> bool:
    """Whether the engine has it, and it is ours: what somebody else calls so has something else in it."""
    found = context.live.find(Secret.object_type, secret.name)
    return found is not None and found.labels.get(labels.OWNER) == secret.labels[labels.OWNER]


def _helped(snapshot: EnvironmentSnapshot) -> bool:
    """Whether a task of it has the helper."""
    return bool(_helpers(snapshot))


def _helpers(snapshot: EnvironmentSnapshot) -> set[int]:
    """The versions of the helper that its tasks have."""
    command = snapshot.release_command
    processes = (*snapshot.effective_processes(), *((command,) if command is not None else ()))
    found = (needed_helper(snapshot, process) for process in processes)
    return {version for version in found if version is not None}
