"""Registry: whether it takes the user that an organization has there, asked when he is set and again from time to time.

Nothing of it lives on the Swarm: environments whose images come from there are given the user, and are looked at again
when he changes. What he is good for is for the registry to say; so it is asked, and what it says is the status.

Expected flow: the password is opened -> the registry is asked at its door -> Ready. One that is refused is asked again
with the full comparison, as is one that was taken: a password can run out, or come back, without anybody's row.
"""

from __future__ import annotations

from reconcilers.conditions import ready, stalled
from reconcilers.images import Images
from reconcilers.logins import Logins
from reconcilers.objects import Objects
from reconcilers.outcomes import Done, Outcome
from reconcilers.ports import Context, LookAhead, Options
from reconcilers.registry import reconciler
from specs.problems import InvalidSpec, Problem, RefusedError
from specs.registries import check_registry
from specs.snapshots import RegistrySnapshot


def preview(_: RegistrySnapshot, __: LookAhead) -> Objects:
    """Nothing on the Swarm."""
    return Objects()


def admit(snapshot: RegistrySnapshot, options: Options) -> None:
    """Refuse a registry that may not be asked.

    Raises:
        InvalidSpec: it is on a private host that the operator has not listed.
    """
    try:
        check_registry(f"{snapshot.registry}/image", options.allowed_registries)
    except RefusedError as error:
        raise InvalidSpec([Problem("registry", None, error.message, error.hint, ("registry",))]) from None


@reconciler(
    "registry",
    snapshot=RegistrySnapshot,
    preview=preview,
    admit=admit,
    uses=(Images, Logins),
    limited=False,
)
async def reconcile_registry(context: Context, snapshot: RegistrySnapshot) -> Outcome:
    """Ask one registry whether it takes its user."""
    registry, user = snapshot.registry, snapshot.username
    if not snapshot.sealed:
        message = (
            f"no password of {user} is set: `skypanel registries set {snapshot.organization.slug} {registry} "
            f"--username {user}`; until then {registry} is asked as nobody"
        )
        context.report(stalled("NoPassword", message))
        return Done()
    login = await context.port(Logins).of(context.id, str(snapshot.revision))
    if await context.port(Images).sign_in(login):
        context.report(ready("SignedIn", f"{registry} takes the user {user}"))
    else:
        context.report(ready("NobodyAsked", f"{registry} asks for no user; {user} is shown where it does"))
    return Done()
