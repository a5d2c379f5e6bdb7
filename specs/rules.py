"""Rules of single values that are neither names, images nor units: commands, paths, users, prices, text.

Each returns its argument (or what it means) or raises ``RefusedError``. Words of a command line and
addresses with credentials are never in a message.
"""

from __future__ import annotations

import posixpath
import re
from datetime import timedelta
from decimal import Decimal

from specs import units
from specs.problems import RefusedError, abbreviate, quote

COMMAND_WORDS = 256
COMMAND_CHARACTERS = 32_768
TMPFS_PATHS = 32
PATH_CHARACTERS = 1024
LINE_CHARACTERS = 255
TEXT_CHARACTERS = 4096
UID_LIMIT = 2**32 - 2  # 2**32 - 1 is "nobody in particular" to chown(2)
GRACE_LIMIT = timedelta(hours=1)
QUIET_LIMIT = timedelta(days=1)
FOLLOW_LEAST, FOLLOW_MOST = timedelta(minutes=1), timedelta(days=1)

_SYSTEM_PATHS = ("/proc", "/sys", "/dev", "/run/secrets")
# A colon and a comma end a mount option; Swarm expands {{ in the targets of mounts (swarmkit template/expand.go).
_NOT_IN_PATHS = (":", ",", "{{")
RESTART_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}$"
_SHARE = re.compile(r"([1-9][0-9]?)%", re.ASCII)
_RESTART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}", re.ASCII)
_RUN_AS = re.compile(r"(0|[1-9][0-9]{0,9})(?::(0|[1-9][0-9]{0,9}))?", re.ASCII)
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)*")
_REPOSITORY = re.compile(r"(?:https|http|ssh|git)://[^\s/]+/\S+|[\w.-]+@[\w.-]+:\S+", re.ASCII)


def refuse_shell_text(value: object) -> object:
    """A command is a list of words; a line of text would need a shell, and an image may have none."""
    if isinstance(value, str):
        raise RefusedError("is text, not a list of words", 'write it as a list, such as ["python", "app.py"]')
    return value


def check_command(words: tuple[str, ...]) -> tuple[str, ...]:
    """A program and its arguments."""
    if not words or not words[0]:
        raise RefusedError("names no program", "the first word is the program")
    return check_arguments(words)


def check_arguments(words: tuple[str, ...]) -> tuple[str, ...]:
    """Words for a program; any of them may be empty."""
    if len(words) > COMMAND_WORDS or sum(map(len, words)) > COMMAND_CHARACTERS:
        raise RefusedError("is too long", f"at most {COMMAND_WORDS} words and {COMMAND_CHARACTERS} characters")
    if any("\0" in word for word in words):
        raise RefusedError("has a NUL character", "no program can be given one")
    return words


def check_tmpfs_paths(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Absolute, normalised paths where an empty writable file system may be put."""
    for path in paths:
        if not path.startswith("/") or path.startswith("//") or path != posixpath.normpath(path):
            raise RefusedError(f"{quote(path)} is not an absolute, normalised path", "such as /tmp or /var/cache/app")
        if path == "/" or any(path == system or path.startswith(f"{system}/") for system in _SYSTEM_PATHS):
            raise RefusedError(f"{quote(path)} belongs to the system", f"not /, {', '.join(_SYSTEM_PATHS)} or below")
        if (
            not (path.isascii() and path.isprintable())
            or len(path) > PATH_CHARACTERS
            or any(mark in path for mark in _NOT_IN_PATHS)
        ):
            hint = f"at most {PATH_CHARACTERS} printable ASCII characters, no colon, no comma and no {{{{"
            raise RefusedError(f"{quote(path)} cannot be mounted", hint)
    if len(set(paths)) != len(paths):
        raise RefusedError("names a path twice", "name each path once")
    if len(paths) > TMPFS_PATHS:
        raise RefusedError(f"has {len(paths)} paths", f"at most {TMPFS_PATHS}")
    return paths


def check_request_path(text: str) -> str:
    """What is asked for by HTTP: a path, and a query if there is one."""
    if not re.fullmatch(r"/[!-~]*", text) or len(text) > PATH_CHARACTERS:
        raise RefusedError(f"{quote(text)} is not a path to ask for", "such as /health; printable ASCII without spaces")
    return text


def check_run_as(text: str) -> str:
    """``uid`` or ``uid:gid``; numeric, because a name means whatever the image's /etc/passwd says."""
    match = _RUN_AS.fullmatch(text)
    if match and all(int(part or 0) <= UID_LIMIT for part in match.groups()):
        return text
    raise RefusedError(f"{quote(text)} is not a numeric user", 'write "uid" or "uid:gid", such as "1000:1000"')


def check_restart_token(text: str) -> str:
    """A word that is another one with each restart, such as a time."""
    if _RESTART.fullmatch(text):
        return text
    hint = 'at most 64 letters, digits and . _ : + -, such as "2026-11-27T09:30:00Z"'
    raise RefusedError(f"{quote(text)} is no restart token", hint)


def check_email(text: str) -> str:
    """The form of an e-mail address, as far as a form can tell; its case stays, as the panel compares it."""
    if _EMAIL.fullmatch(text) and len(text) <= LINE_CHARACTERS:
        return text
    raise RefusedError(f"{quote(text)} is not an e-mail address", "such as ops@example.com")


def check_repository_url(text: str) -> str:
    """A git URL without a password: the row is no place for one."""
    if not _REPOSITORY.fullmatch(text) or len(text) > TEXT_CHARACTERS:
        raise RefusedError(f"{quote(text)} is not a repository URL", "such as https://git.example.com/team/app.git")
    scheme, separator, rest = text.partition("://")
    user = rest.partition("/")[0].rpartition("@")[0]
    if separator and user and (scheme != "ssh" or ":" in user):
        raise RefusedError("has credentials in it", "leave them out of the URL")
    return text


def check_once(words: tuple[str, ...]) -> tuple[str, ...]:
    """Each of them stands there once."""
    if twice := next((word for word in words if words.count(word) > 1), None):
        raise RefusedError(f"{quote(twice)} stands there twice", "keep one of them")
    return words


def check_line(text: str) -> str:
    """One line of printable text."""
    if not text.strip() or not text.isprintable():
        raise RefusedError(f"{quote(text)} is not a line of text", "printable characters, at least one")
    if len(text) > LINE_CHARACTERS:
        raise RefusedError(f"has {len(text)} characters", f"at most {LINE_CHARACTERS}")
    return text


def check_text(text: str) -> str:
    """Text of several lines."""
    if "\0" in text:
        raise RefusedError("has a NUL character", "leave it out")
    if len(text) > TEXT_CHARACTERS:
        raise RefusedError(f"has {len(text)} characters", f"at most {TEXT_CHARACTERS}")
    return text


def check_price(value: object, digits: int, places: int) -> Decimal:
    """Money that fits ``numeric(digits, places)``, from text or Decimal."""
    text = f"{value:f}" if isinstance(value, Decimal) else value
    if isinstance(text, int | float) and not isinstance(text, bool):
        raise RefusedError(f"{abbreviate(text)} is a number", "a price is text: put it in quotes")
    if isinstance(text, str) and re.fullmatch(rf"[0-9]{{1,{digits - places}}}(\.[0-9]+)?", text, re.ASCII):
        price = Decimal(text)
        if len(text.partition(".")[2].rstrip("0")) <= places:
            return price.quantize(Decimal(1)) if price == price.to_integral_value() else price.normalize()
    shown = f"{quote(text)} is" if isinstance(text, str) else "is"
    raise RefusedError(f"{shown} not a price", f"{digits - places} digits before the point and {places} after it")


def check_cores(value: object) -> Decimal:
    """Cores from a JSON number; by way of ``str``, which keeps 0.1 what it says."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise RefusedError("is not a number of cores", "such as 0.25")
    return units.check_cpu(Decimal(str(value)))


def check_seconds(value: object) -> float:
    """Seconds of a day at most, as a JSON number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError("is not a number of seconds")
    if not 0 <= value <= units.DAY_SECONDS:
        raise RefusedError(f"{abbreviate(value)} is not a number of seconds (0-{units.DAY_SECONDS})")
    return value


def check_positive_seconds(value: object) -> float:
    """As ``check_seconds``, and at least a millisecond (moby api/types/container, MinimumDuration)."""
    seconds = check_seconds(value)
    if seconds < 0.001:
        raise RefusedError(f"{value} is not a time to wait", "more than 0 seconds; at least 0.001")
    return seconds


def check_period(duration: timedelta) -> timedelta:
    """A duration that is not zero."""
    if not duration:
        raise RefusedError("0s is not a time to wait", "at least 1ms")
    return duration


def check_grace_period(duration: timedelta) -> timedelta:
    """Whole seconds, at most an hour."""
    return _whole(duration, "a stop grace period")


def check_quiet(duration: timedelta) -> timedelta:
    """Whole seconds, at most a day."""
    if not timedelta(seconds=1) <= duration <= QUIET_LIMIT or duration % timedelta(seconds=1):
        raise RefusedError(f"{units.format_duration(duration)} is not a quiet time", "whole seconds, 1s to 24h")
    return duration


def check_follow_interval(duration: timedelta) -> timedelta:
    """Whole seconds, from a minute to a day."""
    if not FOLLOW_LEAST <= duration <= FOLLOW_MOST or duration % timedelta(seconds=1):
        said = f"{units.format_duration(duration)} is not a time between two looks at a tag"
        raise RefusedError(said, "whole seconds, 1m to 24h")
    return duration


def parse_share(value: object) -> int:
    """Percent from ``"20%"``."""
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise RefusedError(f"{abbreviate(value)} is not a share", 'percent of the tasks, "1%" to "99%"')
    return int(match[1])


def check_drain(duration: timedelta) -> timedelta:
    """Whole seconds, at most an hour."""
    return _whole(duration, "a time to drain")


def _whole(duration: timedelta, what: str) -> timedelta:
    if duration > GRACE_LIMIT or duration % timedelta(seconds=1):
        raise RefusedError(f"{units.format_duration(duration)} is not {what}", "whole seconds, 0s to 1h")
    return duration
