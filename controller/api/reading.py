"""What the address and the headers of a request say: each parameter once, known, and with a value that it may have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from controller.api.operations import Operation, Parameter
from controller.api.problems import Fault, ProblemError

_LONGEST = 1024
_MOST = 100
_NUMBER = re.compile(r"[0-9]{1,19}")


def names(found: Mapping[str, str]) -> dict[str, str]:
    """The names in the places of an address; empty where one of them can be none."""
    usable = all(value and len(value) <= _LONGEST and value.isprintable() for value in found.values())
    return dict(found) if usable else {}


def query(operation: Operation, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Parameters behind the ``?``.

    Raises:
        ProblemError: one is not known, comes twice, or has a value that it cannot have.
    """
    if len(pairs) > _MOST:
        raise ProblemError("malformed", f"an address has {_MOST} parameters at most")
    known, found = operation.queried, dict(pairs)
    times = Counter(name for name, _ in pairs)
    faults = [Fault("is given more than once", parameter=name) for name, number in times.items() if number > 1]
    faults += [
        Fault("is required", parameter=name) for name, each in known.items() if each.required and name not in found
    ]
    for name, value in found.items():
        if name not in known:
            hint = f"known are {', '.join(known)}" if known else "this operation has none"
            faults.append(Fault(f"is not known here ({hint})", parameter=name))
        else:
            faults += [Fault(fault, parameter=name) for fault in _faults(known[name], value)]
    if faults:
        raise ProblemError("malformed", "the address has parameters that cannot be taken", faults)
    return found


def headers(operation: Operation, found: Mapping[str, str]) -> None:
    """Look at headers that the operation reads.

    Raises:
        ProblemError: one has a value that it cannot have.
    """
    faults = [
        Fault(fault, parameter=each.name)
        for each in operation.parameters
        if each.header and each.name.lower() in found
        for fault in _faults(each, found[each.name.lower()])
    ]
    if faults:
        raise ProblemError("malformed", "a header cannot be taken", faults)


def _faults(parameter: Parameter, value: str) -> Iterator[str]:
    schema = parameter.schema
    if len(value) > min(_LONGEST, schema.get("maxLength", _LONGEST)):
        yield "is too long"
    elif "\0" in value or len(value) < schema.get("minLength", 0):
        yield "cannot be this"
    elif schema["type"] == "integer":
        least, most = schema["minimum"], schema["maximum"]
        if not _NUMBER.fullmatch(value) or not least <= int(value) <= most:
            yield f"is a whole number from {least} to {most}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"is one of {', '.join(schema['enum'])}"
    elif "pattern" in schema and not re.fullmatch(schema["pattern"].removeprefix("^").removesuffix("$"), value):
        yield "has characters that it cannot have"
