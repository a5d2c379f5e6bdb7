"""Problems of the API as a command says what is wrong: a line each, with the file and the line that it is in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from controller.actions.errors import ActionError
from controller.client.errors import ApiProblem, ClientError, Fault
from controller.client.problems import Forbidden, NotFound, TooManyRequests, Unauthenticated
from controller.kit.expected import ExpectedError
from controller.remote.understanding import understanding

if TYPE_CHECKING:
    from specs.loader import Located

_ITEMS = "items"


class RefusedThereError(ExpectedError):
    """The API refuses it; ``str()`` is every reason, one a line."""


@contextmanager
def said(origin: str, entries: Sequence[Located] = ()) -> Iterator[None]:
    """What goes wrong within as a command says it.

    Args:
        origin: of the API.
        entries: what was sent, so that it can be said where it stands.
    """
    try:
        with understanding():
            yield
    except Unauthenticated:
        raise ActionError(f"{origin} does not know who asks", f"`skypanel login {origin}` with a token") from None
    except Forbidden as problem:
        raise RefusedThereError("\n".join(_lines(problem, entries, "you may not do this: "))) from None
    except NotFound as problem:
        raise ActionError(problem.detail, "check the names, and who you are: `skypanel whoami`") from None
    except TooManyRequests as problem:
        again = f"wait {problem.retry_after:.0f} s" if problem.retry_after else "wait a minute"
        raise ActionError(f"{origin}: {problem.detail or problem.title}", again) from None
    except ApiProblem as problem:
        raise RefusedThereError("\n".join(_lines(problem, entries))) from None
    except ClientError as error:
        raise ActionError(str(error), error.hint) from None


def _lines(problem: ApiProblem, entries: Sequence[Located], before: str = "") -> list[str]:
    if not problem.faults:
        number = f" (request {problem.request})" if problem.status >= 500 else ""
        return [f"{before}{problem.detail or problem.title}{number}"]
    return [_line(fault, entries) for fault in problem.faults]


def _line(fault: Fault, entries: Sequence[Located]) -> str:
    place, field = "", ""
    if fault.pointer:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in fault.pointer.split("/")[1:]]
        if len(parts) > 1 and parts[0] == _ITEMS and parts[1].isdecimal() and int(parts[1]) < len(entries):
            place = entries[int(parts[1])].at(tuple(int(p) if p.isdecimal() else p for p in parts[2:]))
            field = "" if fault.resource else ".".join(parts[2:])
        else:
            field = ".".join(parts)
    if fault.parameter:
        field = fault.parameter
    return ": ".join(filter(None, (place, fault.resource, field, fault.detail)))
