"""Who asks a registry, and the tokens that it gave for that: in memory, and in no representation."""

from __future__ import annotations

import base64
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.kit import clock
from controller.registry.places import Repository

_MOST_TOKENS = 1024
_LEAST_SECONDS, _MOST_SECONDS = 60.0, 3600.0
_EARLY_SECONDS = 10.0
_PRINTABLE = re.compile(r"[!-~]{1,32768}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of a registry."""

    username: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """As in ``Authorization``."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


class Tokens:
    """Tokens by repository and by who asked, until shortly before they run out."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Repository, Credentials | None], tuple[str, float]] = OrderedDict()

    def get(self, repository: Repository, credentials: Credentials | None) -> str:
        """One that is good; empty when there is none."""
        token, until = self._kept.get((repository, credentials), ("", 0.0))
        return token if clock.monotonic() < until else ""

    def keep(self, repository: Repository, credentials: Credentials | None, document: Mapping[str, Any]) -> str:
        """Keep the one in the answer of a token service, and give it; empty when there is none in it."""
        token = document.get("token") or document.get("access_token")
        if not (isinstance(token, str) and _PRINTABLE.fullmatch(token)):
            return ""
        said = document.get("expires_in")
        seconds = float(said) if isinstance(said, int | float) and not isinstance(said, bool) else _LEAST_SECONDS
        lasts = min(max(seconds, _LEAST_SECONDS), _MOST_SECONDS) - _EARLY_SECONDS
        self._kept[repository, credentials] = (token, clock.monotonic() + lasts)
        self._kept.move_to_end((repository, credentials))
        while len(self._kept) > _MOST_TOKENS:
            self._kept.popitem(last=False)
        return token

    def forget(self, repository: Repository, credentials: Credentials | None) -> None:
        """It was refused."""
        self._kept.pop((repository, credentials), None)
