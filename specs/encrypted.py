"""Documents that SOPS has encrypted: which they are, and which of their values. They are opened elsewhere.

SOPS keeps the form of a document: each value that it has encrypted is a text ``ENC[AES256_GCM,...,type:int]``, and
below ``sops`` stands who can open it. So what is not encrypted can be checked by who has no key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from specs.problems import Path
from specs.yaml_text import YamlDocument

METADATA = "sops"
VALUE = re.compile(
    r"ENC\[AES256_GCM,data:(?P<data>[A-Za-z0-9+/=]*),iv:(?P<iv>[A-Za-z0-9+/=]+),tag:(?P<tag>[A-Za-z0-9+/=]+),"
    r"type:(?P<type>[a-z0-9]{1,16})\]",
    re.ASCII,
)


class UnopenedError(ValueError):
    """An encrypted file cannot be opened; says why, and nothing that is in it.

    Args:
        message: what is wrong.
        hint: how to mend it; may be empty.
        path: of the field that is wrong, in the document ``number``.
    """

    def __init__(self, message: str, hint: str = "", path: Path = (METADATA,), number: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.path = path
        self.number = number


Opener = Callable[[Sequence[YamlDocument]], list[YamlDocument]]
"""Of all documents of an encrypted file, what they are in clear, without ``sops``; raises ``UnopenedError``."""


def is_encrypted(document: YamlDocument) -> bool:
    """Whether SOPS has encrypted it."""
    data = document.data
    return isinstance(data, dict) and isinstance(data.get(METADATA), dict)


def leaves(data: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Path and value of all that is neither a mapping, a list nor nothing, in the order in which it is written."""
    if isinstance(data, dict):
        for key, value in data.items():
            if path or key != METADATA:
                yield from leaves(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from leaves(value, (*path, index))
    elif data is not None:
        yield path, data


def is_sealed(value: object) -> bool:
    """Whether it is an encrypted value."""
    return isinstance(value, str) and VALUE.fullmatch(value) is not None


def unopened(document: YamlDocument) -> YamlDocument:
    """An encrypted document for who has no key: without ``sops``, and with what is known not to be known."""
    sealed = frozenset(path for path, value in leaves(document.data) if is_sealed(value))
    data = {key: value for key, value in document.data.items() if key != METADATA}
    return YamlDocument(data, document.positions, sealed, closed=True)
