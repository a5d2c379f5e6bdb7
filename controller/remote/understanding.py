"""Reading of what anybody may have answered: what cannot be read is no fault of this program, and is said so."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from controller.client.errors import ClientError

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound=type)
_CONFUSED = (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration)


@contextmanager
def understanding() -> Iterator[None]:
    """What cannot be read within, was answered so.

    Raises:
        ClientError: it was.
    """
    try:
        yield
    except _CONFUSED as error:
        if type(error) not in _CONFUSED:  # one with a meaning
            raise
        hint = "is it the address of the API, and of about this version? `skypanel whoami` asks it"
        raise ClientError("what the API answers is not what this version understands", hint) from error


def understood(read: Callable[P, T]) -> Callable[P, T]:
    """``read``, of what was answered."""

    @wraps(read)
    def reading(*given: P.args, **named: P.kwargs) -> T:
        with understanding():
            return read(*given, **named)

    return reading


def understood_all(cls: C) -> C:
    """``cls``, each public method of which reads what was answered."""
    for name, found in list(vars(cls).items()):
        if inspect.isfunction(found) and not name.startswith("_") and not inspect.isgeneratorfunction(found):
            setattr(cls, name, understood(found))
    return cls
