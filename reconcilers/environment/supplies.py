"""What an environment with config vars, or a check by our helper, needs before it is rendered and written.

Each is asked for only when it is lacking: facts once for each image, values when the engine does not have the secret.
So nothing that runs depends on a registry, or on a key, once it was deployed.
"""

from __future__ import annotations

from reconcilers import labels
from reconcilers.config_vars import ConfigVars
from reconcilers.environment.config import filled, needs_helper
from reconcilers.helper import ARCHITECTURES, Helper, helper_name
from reconcilers.images import Images
from reconcilers.objects import Config, Objects, Secret
from reconcilers.outcomes import TerminalError, TransientError
from reconcilers.ports import Context
from specs.snapshots import EnvironmentSnapshot, ImageSnapshot

FACTS = "paas_image_facts"
"""The table of what was found out: one row an environment, of the image that it names."""
_LARGEST = 65_536


async def looked_up(context: Context, snapshot: EnvironmentSnapshot) -> EnvironmentSnapshot:
    """``snapshot`` with what its image is, where that has to be known.

    It is written down, and asked for again only when somebody asks for a look: that a registry is away then is no harm.

    Raises:
        ReconcileError: it cannot be found out; see ``Images``. What runs goes on.
    """
    reference, known = snapshot.image_ref, snapshot.resolved
    if not _helped(snapshot) or reference is None or (known is not None and not context.requested):
        return snapshot
    try:
        found = await context.port(Images).look_up(reference, context.organization_id)
    except (TerminalError, TransientError):
        if known is None:
            raise
        return snapshot
    if found.architecture not in ARCHITECTURES:
        message = (
            f"{reference} is for {found.architecture}; with config vars, or a health check by http or tcp, an "
            f"image has to be for one of {', '.join(ARCHITECTURES)}"
        )
        raise TerminalError("ImageRefused", message)
    facts = {
        "reference": reference,
        "pinned": found.pinned,
        "architecture": found.architecture,
        "entrypoint": list(found.entrypoint),
        "cmd": list(found.cmd),
        "healthcheck": None if found.healthcheck is None else dict(found.healthcheck),
        "shell": list(found.shell),
    }
    if len(repr(facts)) > _LARGEST:
        message = (
            f"{reference}: entry point, command and health check of the image are too long: set command and healthcheck"
        )
        raise TerminalError("ImageRefused", message)
    await context.write_row(FACTS, {"environment_id": context.id}, facts)
    return snapshot.model_copy(update={"resolved": ImageSnapshot.model_validate(facts)})


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
    if snapshot.config is None or all(_is_there(context, secret) for secret in objects.of(Secret)):
        return objects
    values = await context.port(ConfigVars).values(context.id, snapshot.config.digest)
    return filled(objects, snapshot, context.options, values)


def _is_there(context: Context, secret: Secret) -> bool:
    """Whether the engine has it, and it is ours: what somebody else calls so has something else in it."""
    found = context.live.find(Secret.object_type, secret.name)
    return found is not None and found.labels.get(labels.OWNER) == secret.labels[labels.OWNER]


def _helped(snapshot: EnvironmentSnapshot) -> bool:
    """Whether a task of it has the helper."""
    return any(needs_helper(snapshot, process) for process in snapshot.effective_processes())
