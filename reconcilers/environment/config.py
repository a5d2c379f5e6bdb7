"""What is set for an environment, as its tasks are given it: one secret of all variables, and one of each file. Pure.

A secret is named by the versions of what is in it, so nothing here needs a value; ``filled`` puts them in, for those
secrets that the engine does not have yet. The variables come into the environment of an unchanged image by the helper,
which stands in front of its program and of its health check; nothing that can be inspected holds a value. It stands
there also where a program is to be asked to stop some time after its task was.

What has no use for the helper is given none, and stays byte for byte what it was without any of this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from reconcilers.config_vars import ConfigValue
from reconcilers.environment.names import owner_of
from reconcilers.helper import CHECK, DRAINS, FIRST, NO_VARIABLES, PROGRAM, VARIABLES, helper_name, in_front
from reconcilers.objects import Objects, Secret, SpecDocument
from reconcilers.ports import Options
from specs.problems import InvalidSpec, Problem
from specs.snapshots import EnvironmentSnapshot, ImageSnapshot, ProcessSnapshot

UNKNOWN_PROGRAM = "(the program of the image)"
"""In a look ahead, before the image was looked up."""
_BY_SHELL, _BY_ITSELF = "CMD-SHELL", "CMD"
_READABLE_BY_ALL = (
    0o444  # the image's user may be a name, which an engine does not take here; the task is alone with it
)


def has_variables(snapshot: EnvironmentSnapshot) -> bool:
    """Whether tasks are given some in their environment."""
    return snapshot.config is not None and snapshot.config.variables > len(snapshot.config.files)


def has_helper(snapshot: EnvironmentSnapshot) -> bool:
    """Whether something stands in front of one of the environment's programs."""
    return any(_stands_in_front(snapshot, process) for process in snapshot.effective_processes())


def needed_helper(snapshot: EnvironmentSnapshot, process: ProcessSnapshot) -> int | None:
    """The version of it that a task of ``process`` has to have, in front of its program or to check it; None: none."""
    if process.drain_seconds:
        return DRAINS
    checks = process.healthcheck is not None and process.healthcheck.by_helper
    return FIRST if checks or has_variables(snapshot) else None


def _stands_in_front(snapshot: EnvironmentSnapshot, process: ProcessSnapshot) -> bool:
    return has_variables(snapshot) or bool(process.drain_seconds)


def secrets(snapshot: EnvironmentSnapshot, options: Options) -> tuple[Secret, ...]:
    """What tasks are given, without what is in it."""
    if snapshot.config is None:
        return ()
    owner = owner_of(snapshot, options)
    return tuple(_secret(snapshot, name, owner) for name in _names(snapshot))


def filled(objects: Objects, snapshot: EnvironmentSnapshot, options: Options, values: Sequence[ConfigValue]) -> Objects:
    """``objects`` with the values in its secrets.

    Raises:
        InvalidSpec: a file would be empty.
    """
    content = {"": b"".join(b"%b=%b\0" % (v.name.encode(), v.value) for v in values if not v.as_file)}
    content |= {v.name: v.value for v in values if v.as_file}
    if empty := [name for name, data in content.items() if name and not data]:
        hint = "set it to something, or unset it"
        raise InvalidSpec([Problem("config", None, f"{empty[0]} is a file, and a file must not be empty", hint)])
    by_name = {secret.name: name for secret, name in zip(secrets(snapshot, options), _names(snapshot), strict=True)}
    made = tuple(
        replace(each, data=content[by_name[each.name]]) if isinstance(each, Secret) else each
        for each in objects.objects
    )
    return replace(objects, objects=made)


def given(
    container: SpecDocument, snapshot: EnvironmentSnapshot, process: ProcessSnapshot, options: Options
) -> SpecDocument:
    """``container`` with what is set for the environment, and the helper where it needs it; else the same one."""
    if snapshot.config is not None:
        made = dict(zip(_names(snapshot), secrets(snapshot, options), strict=True))
        references = [secret.file(name or VARIABLES, mode=_READABLE_BY_ALL) for name, secret in sorted(made.items())]
        container = {**container, "Secrets": references}
    version = needed_helper(snapshot, process)
    if version is None:
        return container
    resolved = snapshot.resolved
    architecture = resolved.architecture if resolved else "amd64"
    helper: SpecDocument = {
        "ConfigName": helper_name(options.installation, architecture, version),
        "File": {"Name": PROGRAM, "UID": "0", "GID": "0", "Mode": 0o555},
    }
    container = {**container, "Configs": [helper]}
    if not _stands_in_front(snapshot, process):
        return container
    variables = has_variables(snapshot)
    drain = process.drain_seconds or 0
    words = in_front(
        VARIABLES if variables else NO_VARIABLES, drain_seconds=drain, signal=_stop_signal(snapshot, process)
    )
    check = (container.get("Healthcheck") or _check_of(resolved)) if variables else None
    return {
        **container,
        "Command": [PROGRAM],
        "Args": [*words, *program(snapshot, process)],
        **({"Healthcheck": {**check, "Test": behind_helper(check["Test"], resolved)}} if check else {}),
    }


def _stop_signal(snapshot: EnvironmentSnapshot, process: ProcessSnapshot) -> str | None:
    """What its program is asked to stop with; None: as usual. What was found out of an image stays so for a release."""
    return process.stop_signal or (snapshot.resolved.stop_signal if snapshot.resolved else None)


def program(snapshot: EnvironmentSnapshot, process: ProcessSnapshot) -> tuple[str, ...]:
    """What a task runs in the end; by the engine's rule, a declared program takes no arguments of the image.

    Raises:
        InvalidSpec: nothing says what.
    """
    image = snapshot.resolved
    if process.command:
        return (*process.command, *(process.args or ()))
    if image is None:
        return (UNKNOWN_PROGRAM, *(process.args or ()))
    found = (*image.entrypoint, *(process.args or image.cmd))
    if not found:
        hint = f"set the command of {process.type}"
        raise InvalidSpec([Problem("entrypoint", None, "the image has no entry point and no command", hint)])
    return found


def pinned(snapshot: EnvironmentSnapshot) -> str | None:
    """The image by its content: as declared, with the digest that was found, whose entry point it is."""
    image, declared = snapshot.resolved, snapshot.image_ref
    if image is None or declared is None or not image.digest:
        return declared
    return f"{declared.partition('@')[0]}@{image.digest}"


def digest_of(snapshot: EnvironmentSnapshot) -> str:
    """The digest that its tasks name; empty where they name none."""
    return (runs(snapshot) or "").partition("@")[2]


def runs(snapshot: EnvironmentSnapshot) -> str | None:
    """The image as its tasks name it."""
    return snapshot.image_ref if snapshot.by_tag and not has_helper(snapshot) else pinned(snapshot)


def as_declared(snapshot: EnvironmentSnapshot, image: str) -> str:
    """``image``, as a task runs it, in the words of whoever declared it: without the digest that was found for it."""
    if image == pinned(snapshot):
        return snapshot.image_ref or image
    name, _, digest = image.partition("@")
    return name if digest and ":" in name.rpartition("/")[2] else image


def platform(snapshot: EnvironmentSnapshot, process: ProcessSnapshot) -> SpecDocument:
    """Where what was looked up can run: for ``Placement``; empty where nothing was.

    Releases from before there was a deadline ask for it only with the helper, as an upgrade restarts nothing.
    """
    if snapshot.resolved is None or not (snapshot.start_deadline or needed_helper(snapshot, process) is not None):
        return {}
    return {"Platforms": [{"Architecture": snapshot.resolved.architecture, "OS": "linux"}]}


def behind_helper(test: Sequence[str], image: ImageSnapshot | None) -> list[str]:
    """A health check's ``Test`` that sees the variables; one that is the helper's own needs none."""
    if tuple(test[1:3]) == (PROGRAM, CHECK) or not test or test[0] not in (_BY_SHELL, _BY_ITSELF):
        return list(test)
    shell = image.shell if image else ("/bin/sh", "-c")
    words = (*shell, *test[1:]) if test[0] == _BY_SHELL else test[1:]
    return [_BY_ITSELF, PROGRAM, VARIABLES, *words]


def _check_of(image: ImageSnapshot | None) -> SpecDocument | None:
    """The image's own check; what of it is not said here, the engine takes from the image."""
    test = (image.healthcheck or {}).get("Test") if image else None
    return {"Test": test} if test and test[0] in (_BY_SHELL, _BY_ITSELF) else None


def _names(snapshot: EnvironmentSnapshot) -> list[str]:
    """Of the files; empty: of all variables."""
    assert snapshot.config is not None
    return ["", *snapshot.config.files] if has_variables(snapshot) else list(snapshot.config.files)


def _secret(snapshot: EnvironmentSnapshot, name: str, owner: dict[str, str]) -> Secret:
    assert snapshot.config is not None
    what = f"file-{name}" if name else "vars"
    text = "\0".join((str(snapshot.of_run or snapshot.id), snapshot.config.digest, name))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Secret.versioned(f"{snapshot.swarm_name}-{what}", digest, labels=owner)
