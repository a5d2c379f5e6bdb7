"""``ETag`` is the generation of what is declared: who changes an object says which one he has seen.

It does not speak of the status, which changes by itself: a list or an object is never answered with 304.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from controller.api.problems import Fault, ProblemError

_TAG = re.compile(r'"g([0-9]{1,19})"')


def etag(generation: int) -> str:
    """Of an object in this generation."""
    return f'"g{generation}"'


def check(headers: Mapping[str, str], generation: int | None, *, required: bool) -> None:
    """Refuse a change that was made for another generation than there is.

    Args:
        headers: of the request.
        generation: of the object; None: there is none.
        required: whether ``If-Match`` has to be there where there is an object.

    Raises:
        ProblemError: it does not fit, or is missing.
    """
    asked, absent = headers.get("if-match"), headers.get("if-none-match")
    if absent is not None and absent.strip() != "*":
        raise _unreadable("If-None-Match", "only * is known here: it is to be made, and not changed")
    if absent is not None and generation is not None:
        raise ProblemError("precondition-failed", f"it exists, in generation {generation}")
    if asked is None:
        if required and generation is not None:
            raise ProblemError("precondition-required", f"it exists: send If-Match with its ETag, {etag(generation)}")
        return
    if generation is None:
        raise ProblemError("precondition-failed", "there is none that If-Match could name")
    if asked.strip() == "*":
        return
    wanted = [each.strip() for each in asked.split(",")]
    if not all(_TAG.fullmatch(each) for each in wanted):
        raise _unreadable("If-Match", 'write the ETag that was read, such as "g7", or *')
    if etag(generation) not in wanted:
        raise ProblemError("precondition-failed", f"it is in generation {generation} now")


def check_version(headers: Mapping[str, str], current: str) -> None:
    """Refuse a change of what has no generation, and was read as something else than ``current``, its tag.

    Raises:
        ProblemError: it does not fit.
    """
    asked = headers.get("if-match")
    if asked is None or asked.strip() == "*":
        return
    if current not in [each.strip() for each in asked.split(",")]:
        raise ProblemError("precondition-failed", f"it is {current} now")


def _unreadable(header: str, detail: str) -> ProblemError:
    return ProblemError("malformed", f"{header} cannot be read", [Fault(detail, parameter=header)])
