"""Users of registries with their passwords, which the database has as ciphertext alone. A port."""

from __future__ import annotations

import base64
from abc import abstractmethod
from dataclasses import dataclass, field

import orjson

from reconcilers.port import Port, read

NOBODY = base64.urlsafe_b64encode(b"{}").decode()
"""What an engine is given so that it forgets a user: without any, it goes on with the one that it has."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user of one registry.

    Args:
        registry: host as references have it.
        username: who asks.
        password: in no representation, log, plan or event.
    """

    registry: str
    username: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """As an engine is given it, and gives it to the nodes that pull.

        User and password, and no token: what is kept with a service must be good for as long as the service is.
        """
        fields = {"username": self.username, "password": self.password, "serveraddress": self.registry}
        return base64.urlsafe_b64encode(orjson.dumps(fields)).decode()


class Logins(Port, name="login", fenced=True):
    """Those that are set."""

    @read
    @abstractmethod
    async def of(self, login_id: str, revision: str) -> Login:
        """The user of a row.

        Args:
            login_id: of the row.
            revision: of it, as the snapshot has it.

        Raises:
            ConflictError: it has another one by now.
            NotReadyError: ``KeyUnavailable``: no key that this process has opens it; says which key.
            TerminalError: ``PasswordUnreadable``: the ciphertext is not what it should be.
            TransientError: the database did not answer.
        """
