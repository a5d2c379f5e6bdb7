"""What to say while something is handed over: a process to its new name, a host name to its new owner. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from reconcilers.conditions import READY, Condition, progressing
from reconcilers.outcomes import Outcome, RequeueAfter
from reconcilers.ports import Former

STILL_IN_USE_SECONDS = 30.0
"""Only for the case that nobody tells when a host name is let go."""
_REPLACING_SECONDS = 2.0


def handing_over(
    conditions: tuple[Condition, ...], outcome: Outcome, former: Former | None, hostnames: Collection[str]
) -> tuple[tuple[Condition, ...], Outcome]:
    """What to say of an environment that is otherwise as ``conditions`` say, and when to look again.

    Args:
        conditions: as if nothing were handed over.
        outcome: that goes with them.
        former: what serves under former names.
        hostnames: those that another owner still has.
    """
    done = conditions[0].type == READY and conditions[0].status == "True"
    if former is not None and not done:
        until = f"; the former {', '.join(former.names)} serve{'s' * (len(former.names) == 1)} until then"
        return tuple(replace(c, message=c.message + until) for c in conditions), outcome
    if former is not None:
        message = f"all tasks run; the former {', '.join(former.names)} is removed when the edge no longer uses it"
        return progressing("Replacing", message), RequeueAfter(former.seconds or _REPLACING_SECONDS)
    if hostnames and done:
        return still_in_use(hostnames), RequeueAfter(STILL_IN_USE_SECONDS)
    return conditions, outcome


def still_in_use(hostnames: Collection[str]) -> tuple[Condition, ...]:
    """Of an environment, or of a domain; nothing is said of who has it."""
    names = ", ".join(sorted(hostnames))
    return progressing(
        "NameStillInUse",
        f"{names}: the edge still routes it to its previous owner; it is routed here as soon as that ends",
    )
