"""Rules of config vars: names and values, and how much of them a program can be started with.

A value may have every byte but NUL. Linux gives a program each variable as ``NAME=VALUE`` and a NUL, in 128 kB at most.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from specs.problems import RefusedError, quote

Layer = Literal["organization", "app", "environment"]
"""What a variable can be set for; of a name that is set in several, the later one counts."""

NAME_CHARACTERS = 255
VARIABLE_BYTES = 128 * 1024
"""Of a name, an equals sign, a value and a NUL: MAX_ARG_STRLEN of Linux."""
ALL_BYTES = 256 * 1024
"""The same of all that one environment has, files included."""
VARIABLES = 1000
OURS = "SKYPANEL_"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SHOWN = 3


def check_name(name: str) -> str:
    """The name of a config var."""
    if not _NAME.fullmatch(name) or len(name) > NAME_CHARACTERS:
        hint = f"letters, digits and _, no digit in front, at most {NAME_CHARACTERS} characters"
        raise RefusedError(f"{quote(name)} is not the name of a variable", hint)
    if name == "PORT":
        raise RefusedError("PORT is what the platform says itself", "set the port of the process or environment")
    if name.startswith(OURS):
        raise RefusedError(f"{name} begins with {OURS}, which the platform says itself", "choose another name")
    return name


def check_value(name: str, value: bytes) -> bytes:
    """The value of a config var, which is in no message."""
    if b"\0" in value:
        raise RefusedError(f"the value of {name} has a NUL byte", "no program can be given one: encode it as base64")
    if (size := size_of(name, value)) > VARIABLE_BYTES:
        hint = "keep what is larger in a file of the image or in a store, and its address here"
        raise RefusedError(f"{name} takes {size} bytes of at most {VARIABLE_BYTES}, with its name", hint)
    return value


def check_all(values: Mapping[str, bytes]) -> None:
    """All that counts for one environment, by name."""
    if len(values) > VARIABLES:
        raise RefusedError(f"{len(values)} variables are set, of at most {VARIABLES}", "unset some")
    for name, value in values.items():
        check_value(name, value)
    sizes = {name: size_of(name, value) for name, value in values.items()}
    if (total := sum(sizes.values())) > ALL_BYTES:
        largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:_SHOWN]
        said = ", ".join(f"{name} ({sizes[name]})" for name in largest)
        raise RefusedError(
            f"all variables take {total} bytes of at most {ALL_BYTES}; the largest: {said}", "unset some"
        )


def size_of(name: str, value: bytes) -> int:
    """Bytes that a program's start needs for it."""
    return len(name) + len(value) + 2
