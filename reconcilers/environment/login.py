"""The user that an environment's image is asked for with."""

from __future__ import annotations

from reconcilers.logins import Login, Logins
from reconcilers.ports import Context
from specs.snapshots import EnvironmentSnapshot


async def login_of(context: Context, snapshot: EnvironmentSnapshot) -> Login | None:
    """The organization's, of the registry that its image is from; None: it has none.

    Raises:
        ReconcileError: his password cannot be had; see ``Logins``.
    """
    login = snapshot.login
    return None if login is None else await context.port(Logins).of(str(login.id), str(login.revision))
