"""What an environment needs before it is rendered and written, where it has config vars, a check by our helper, or an
image that is asked for with a user.

Each is asked for only when it is lacking: facts once for each image, values when the engine does not have the secret,
a password when it has not the user that it is to pull with.
So nothing that runs depends on a registry, or on a key, once it was deployed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconcilers import labels
from reconcilers.config_vars import ConfigVars
from reconcilers.environment.config import filled, needs_helper
from reconcilers.environment.service import pulling
from reconcilers.helper import ARCHITECTURES, Helper, helper_name
from reconcilers.images import Images
from reconcilers.logins import NOBODY, Login, Logins
from reconcilers.objects import Config, Objects, Secret, Service
from reconcilers.outcomes import TerminalError, TransientError
from reconcilers.ports import Context
from specs.snapshots import EnvironmentSnapshot, ImageSnapshot

FACTS = "paas_image_facts"
"""The table of what was found out: one row an environment, of the image that it names."""
_LARGEST = 65_536
_PULL_FAILS = ("ImageDenied", "ImageNotFound", "KeyUnavailable", "PasswordUnreadable", "LoginChanged")


async def looked_up(context: Context, snapshot: EnvironmentSnapshot) -> EnvironmentSnapshot:
    """``snapshot`` with what its image is, where that has to be known.

    It is written down, and asked for again only when somebody asks for a look: that a registry is away then is no harm.

    Raises:
        ReconcileError: it cannot be found out; see ``Images``. What runs goes on.
    """
    reference, known, helped = snapshot.image_ref, snapshot.resolved, _helped(snapshot)
    fixed = snapshot.pinned is not None  # a release is what it was; what it did not have to know, it still does not
    if not (helped or (snapshot.login and not fixed)) or reference is None:
        return snapshot
    if known is not None and (fixed or not context.requested):
        return snapshot
    try:
        found = await context.port(Images).look_up(reference, context.organization_id, await _login(context, snapshot))
    except (TerminalError, TransientError) as error:
        # What nothing has to be known of is looked up to hear whether its user may pull it, and for nothing else.
        if known is not None or not (helped or error.reason in _PULL_FAILS):
            return snapshot
        raise
    facts = {
        "reference": reference,
        "pinned": found.pinned,
        "architecture": found.architecture,
        "entrypoint": list(found.entrypoint),
        "cmd": list(found.cmd),
        "healthcheck": None if found.healthcheck is None else dict(found.healthcheck),
        "shell": list(found.shell),
    }
    if wrong := _unusable(reference, facts):
        if helped:
            raise TerminalError("ImageRefused", wrong)
        return snapshot
    await context.write_row(FACTS, {"environment_id": context.id}, facts)
    return snapshot.model_copy(update={"resolved": ImageSnapshot.model_validate(facts)})


def _unusable(reference: str, facts: Mapping[str, Any]) -> str:
    """Why nothing of ours can stand in front of its programs; empty when it can."""
    if facts["architecture"] not in ARCHITECTURES:
        return (
            f"{reference} is for {facts['architecture']}; with config vars, or a health check by http or tcp, an "
            f"image has to be for one of {', '.join(ARCHITECTURES)}"
        )
    if len(repr(facts)) > _LARGEST:
        return (
            f"{reference}: entry point, command and health check of the image are too long: set command and healthcheck"
        )
    return ""


async def supplied(context: Context, snapshot: EnvironmentSnapshot, objects: Objects) -> Objects:
    """``objects``, with values in those secrets that the engine does not have; the helper is there, too.

    Raises:
        ReconcileError: a value cannot be had; see ``ConfigVars``. What runs goes on.
    """
    if _helped(snapshot) and snapshot.resolved is not None:
        architecture = snapshot.resolved.architecture
        helper = context.live.find(Config.object_type, helper_name(context.options.installation, architecture))
        if helper is None or helper.labels.get(labels.INSTALLATION) != context.options.installation:
            await context.port(Helper).provide(architecture)
    objects = await _pulling(context, snapshot, objects)
    if snapshot.config is None or all(_is_there(context, secret) for secret in objects.of(Secret)):
        return objects
    values = await context.port(ConfigVars).values(context.id, snapshot.config.digest)
    return filled(objects, snapshot, context.options, values)


async def _pulling(context: Context, snapshot: EnvironmentSnapshot, objects: Objects) -> Objects:
    """``objects``, with what nodes pull with where the engine has another one for some of its services.

    Raises:
        ReconcileError: it cannot be had; see ``Logins``. What runs goes on.
    """
    live = ((service, context.live.find(Service.object_type, service.name)) for service in objects.services)
    if all((found.labels.get(labels.PULLS_AS, "") if found else "") == service.pulls_as for service, found in live):
        return objects
    login = await _login(context, snapshot)
    return pulling(objects, NOBODY if login is None else login.header)


async def _login(context: Context, snapshot: EnvironmentSnapshot) -> Login | None:
    """The user that its image is asked for with."""
    login = snapshot.login
    return None if login is None else await context.port(Logins).of(str(login.id), str(login.revision))


def _is_there(context: Context, secret: Secret) -> bool:
    """Whether the engine has it, and it is ours: what somebody else calls so has something else in it."""
    found = context.live.find(Secret.object_type, secret.name)
    return found is not None and found.labels.get(labels.OWNER) == secret.labels[labels.OWNER]


def _helped(snapshot: EnvironmentSnapshot) -> bool:
    """Whether a task of it has the helper."""
    return any(needs_helper(snapshot, process) for process in snapshot.effective_processes())
