"""Config vars: the values of an environment, which the database has as ciphertext alone. A port.

What is rendered names a value by its version and never needs it; it is asked for when the engine is to be given it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from reconcilers.port import Port, read


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """One variable, decrypted.

    Args:
        name: of the variable, or of the file.
        value: any bytes without NUL; in no representation, log, plan or event.
        as_file: whether tasks get it as ``/run/secrets/<name>``, and not in their environment.
    """

    name: str
    value: bytes = field(repr=False)
    as_file: bool = False


class ConfigVars(Port, name="config", fenced=True):
    """What is set for an environment: its own, else its app's, else its organization's."""

    @read
    @abstractmethod
    async def values(self, environment_id: str, digest: str) -> Sequence[ConfigValue]:
        """All values, by name.

        Args:
            environment_id: whose.
            digest: of the versions, as the snapshot has it.

        Raises:
            ConflictError: they have other versions by now.
            NotReadyError: ``KeyUnavailable``: no key that this process has opens one of them; says which key.
            TerminalError: ``ConfigUnreadable``: a ciphertext is not what it should be; says which variable.
            TransientError: the database did not answer.
        """
