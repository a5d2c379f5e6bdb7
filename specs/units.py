"""CPU, memory and durations as people write them, parsed to exact numbers and printed in one canonical form.

    cpu        "250m", "0.25", 2         Decimal cores, to a thousandth       prints "250m", "2"
    memory     "64Mi", "1.5Gi"           int MiB                              prints "64Mi", "1536Mi", "2Gi"
    duration   "10s", "1m30s", "500ms"   timedelta, to a millisecond          prints "10s", "1m30s", "500ms"

``parse(print(x)) == x`` holds for every value in range. All parsers raise ``RefusedError``.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from specs.problems import RefusedError, abbreviate, quote

CPU_MINIMUM = Decimal("0.001")  # swarmkit manager/controlapi/service.go, validateResources
CPU_MAXIMUM = Decimal("999.999")
MEMORY_MINIMUM_MIB = 4  # the same function
MEMORY_MAXIMUM_MIB = 2**31 - 1
DAY_SECONDS = 86_400
DURATION_MAXIMUM = timedelta(seconds=DAY_SECONDS)

_MILLI = Decimal("0.001")
_CPU = re.compile(r"([0-9]{1,9})(m?)|([0-9]{1,9}\.[0-9]{1,9})", re.ASCII)
_MEMORY = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(Mi|Gi|Ti)", re.ASCII)
_NEAR_MEMORY = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*(?:([mgt])i?b?)?", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m(?!s))?(?:([0-9]{1,6})s)?(?:([0-9]{1,9})ms)?", re.ASCII)
_MIB = 1024 * 1024
_MIB_IN = {"Mi": 1, "Gi": 1024, "Ti": 1024 * 1024}


def parse_cpu(value: object) -> Decimal:
    """Cores from ``"250m"`` (thousandths), ``"0.25"`` or a plain number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise RefusedError("is not an amount of CPU", 'write cores as 0.25 or "250m"')
    match = _CPU.fullmatch(str(value))
    if match is None:
        raise RefusedError(f"{quote(value)} is not an amount of CPU", 'write cores as 0.25 or "250m"')
    whole, milli, fraction = match.groups()
    return check_cpu(Decimal(fraction or whole) * (_MILLI if milli else 1))


def check_cpu(cores: Decimal) -> Decimal:
    """``cores``, if a Swarm service can be limited to it."""
    if not cores.is_finite() or not CPU_MINIMUM <= cores <= CPU_MAXIMUM:
        raise RefusedError(f"{abbreviate(cores)} is not an amount of CPU", f"{CPU_MINIMUM} to {CPU_MAXIMUM} cores")
    if cores != cores.quantize(_MILLI):
        raise RefusedError(f"{cores:f} is more precise than a thousandth of a core", "round it to 0.001")
    return cores.quantize(_MILLI)


def format_cpu(cores: Decimal) -> str:
    """``"2"`` for whole cores, else thousandths such as ``"250m"``."""
    return f"{cores:.0f}" if cores == cores.to_integral_value() else f"{cores / _MILLI:.0f}m"


def parse_memory(value: object) -> int:
    """MiB from ``"64Mi"``, ``"1Gi"`` or ``"1.5Gi"``; refuses a number without a unit."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise RefusedError(
            f"{abbreviate(value)} has no unit, and plain bytes are not accepted", _memory_hint(f"{value}")
        )
    match = _MEMORY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        shown = f"{quote(value)} is" if isinstance(value, str) else "is"
        raise RefusedError(f"{shown} not an amount of memory", _memory_hint(value))
    mebibytes = Decimal(match[1]) * _MIB_IN[match[2]]
    if mebibytes != mebibytes.to_integral_value():
        raise RefusedError(f"{quote(value)} is not a whole number of MiB", f'write "{mebibytes:.0f}Mi"')
    return check_memory(int(mebibytes))


def _memory_hint(value: object) -> str:
    """What was meant by ``512MB``, ``1G`` or ``512``."""
    if isinstance(value, str) and value.isdecimal() and int(value) >= _MIB:
        return f'write "{int(value) // _MIB}Mi"'
    near = _NEAR_MEMORY.fullmatch(value.strip()) if isinstance(value, str) else None
    if near is None:
        return 'write a number with Mi, Gi or Ti, such as "64Mi"'
    return f'write "{near[1]}{(near[2] or "m").upper()}i"'


def check_memory(mebibytes: int) -> int:
    """``mebibytes``, if a Swarm service can be limited to it."""
    if mebibytes < MEMORY_MINIMUM_MIB:
        raise RefusedError(f"{mebibytes} MiB is less than Swarm accepts", f"at least {MEMORY_MINIMUM_MIB} MiB")
    if mebibytes > MEMORY_MAXIMUM_MIB:
        raise RefusedError("is more than can be stored", f"at most {MEMORY_MAXIMUM_MIB} MiB")
    return mebibytes


def format_memory(mebibytes: int) -> str:
    """The largest unit that gives a whole number: ``"2Gi"``, ``"1536Mi"``."""
    unit = next(unit for unit in ("Ti", "Gi", "Mi") if mebibytes % _MIB_IN[unit] == 0)
    return f"{mebibytes // _MIB_IN[unit]}{unit}"


def parse_duration(value: object) -> timedelta:
    """A time from ``"1h"``, ``"1m30s"``, ``"10s"`` or ``"500ms"``; 0 to 24 hours."""
    if isinstance(value, timedelta):
        return _check_duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise RefusedError(f"{abbreviate(value)} has no unit", f'write seconds as "{abbreviate(value)}s"')
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        shown = f"{quote(value)} is" if isinstance(value, str) else "is"
        raise RefusedError(f"{shown} not a duration", 'write "10s", "1m30s" or "500ms"')
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in match.groups())
    return _check_duration(
        timedelta(hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds),
    )


def format_duration(duration: timedelta) -> str:
    """Largest units first, none that is zero: ``"1h"``, ``"1m30s"``, ``"0s"``."""
    left = round(duration / timedelta(milliseconds=1))
    text = ""
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def seconds_of(duration: timedelta) -> int | float:
    """Seconds, a whole number where they are."""
    seconds = duration.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _check_duration(duration: timedelta) -> timedelta:
    if not timedelta(0) <= duration <= DURATION_MAXIMUM:
        raise RefusedError("is longer than 24 hours" if duration > timedelta(0) else "is below zero", "0s to 24h")
    if duration.microseconds % 1000:
        raise RefusedError("is more precise than a millisecond", "round it to 1ms")
    return duration
