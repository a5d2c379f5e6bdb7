"""One service as the fields of an environment, the host names that lead to it, and what of it is not carried over."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from specs.compose import values
from specs.compose.commands import waits
from specs.compose.elsewhere import values_elsewhere, volumes
from specs.compose.health import healthcheck
from specs.compose.keys import SERVICE
from specs.compose.ports import Opened, opened
from specs.compose.project import Item, Service
from specs.compose.report import Report, shown
from specs.compose.settings import run_settings, sized
from specs.compose.traefik import routes
from specs.problems import RefusedError, quote
from specs.spelling import meant
from specs.units import format_cpu, format_duration, format_memory

_USER = re.compile(r"(root|[0-9]+)(?::(root|[0-9]+))?", re.ASCII)
_TOLD_APART = {"build", "environment", "env_file", "secrets", "configs", "deploy.mode"}
"""Keys that are told with more than their own word."""

T = TypeVar("T")


@dataclass(slots=True)
class Converted:
    """What a service becomes.

    Args:
        spec: fields of the environment, as in a file.
        items: of each field, what it was made of.
        hosts: host names, and the labels that name them.
        left_out: why it is not written; then it is in the notes, too.
    """

    spec: dict[str, Any] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    hosts: list[tuple[str, Item]] = field(default_factory=list)
    left_out: bool = False


class ServiceReader:
    """Reads one service.

    Args:
        service: what the files say of it.
        report: where to say what is not carried over.
        config_path: of the environment, as ``skypanel config`` takes it.
        image: instead of its own; empty when none is given.
    """

    def __init__(self, service: Service, report: Report, config_path: str, image: str) -> None:
        self.service, self.report, self.found = service, report, Converted()
        self.config_path, self._image = config_path, image

    def converted(self) -> Converted:
        """What it becomes; complete once all of it was looked at."""
        self._tell("", {key: (item, ()) for key, item in self.service.keys.items()})
        self._choose_image()
        for key in ("profiles", "provider"):
            self.found.left_out |= bool(self.value(key))
        for read in (
            self._words,
            self._order,
            self._replicas,
            self._limits,
            self._port,
            self._check,
            self._restart,
            self._rest,
            self._writable,
        ):
            read()
        run_settings(self)
        values_elsewhere(self)
        return self.found

    def value(self, *path: str) -> Any:
        """What is written at ``path``; None when nothing is."""
        item = self.service.keys.get(path[0])
        value = item.value if item else None
        for key in path[1:]:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def read(self, parse: Callable[[Any], T], *path: str, confidential: bool = False) -> T | None:
        """What is at ``path``, variables filled in; None when nothing is, or when it is wrong, which is a problem."""
        raw = self.value(*path)
        return None if raw is None else self.parsed(parse, raw, ".".join(path), *path[1:], confidential=confidential)

    def parsed(
        self, parse: Callable[[Any], T], raw: Any, name: str, *below: str | int, confidential: bool = False
    ) -> T | None:
        """The same for a part of the key ``name``."""
        item = self.service.keys[name.partition(".")[0]]
        try:
            filled, used = self.report.filled(self.service.name, item, raw, name, *below)
            if used and confidential:
                said = f"the value of {', '.join(sorted(used))} is in what is written"
                self.note(name, said, "set it as a config var and read that instead, where it is a secret", *below)
            return parse(filled)
        except RefusedError as error:
            self.report.problem(self.service.name, item, name, error, *below)
            return None

    def note(self, name: str, message: str, hint: str = "", *below: str | int) -> None:
        """Say something of a key of it."""
        self.report.note(self.service.name, self.service.keys[name.partition(".")[0]], name, message, hint, *below)

    def partly(self, name: str, more: str = "", *below: str | int) -> None:
        """Say that a key is not carried over, or this part of it."""
        item = self.service.keys[name.partition(".")[0]]
        self.report.key(self.service.name, item, name, SERVICE[name], more, *below)

    def put(self, name: str, value: Any, key: str) -> None:
        """A field of the environment, made of a key."""
        if value is not None:
            self.found.spec[name], self.found.items[name] = value, self.service.keys[key]

    def _tell(self, above: str, keys: Mapping[str, tuple[Item, tuple[str, ...]]]) -> None:
        """Say which keys have no counterpart, and which are none."""
        for key, (item, below) in keys.items():
            name, value = f"{above}{key}", self.value(*above.split(".")[:-1], key)
            known = SERVICE.get(name)
            if key.startswith("x-"):
                continue
            if known is None:
                slip = meant(key, [n.removeprefix(above) for n in SERVICE if n.startswith(above)])
                hint = f"did you mean {slip}?" if slip else ""
                self.report.note(self.service.name, item, shown(name), "is not a key of Compose", hint, *below)
            elif not known.becomes and value not in (None, False, "", [], {}) and name not in _TOLD_APART:
                self.report.key(self.service.name, item, name, known, "", *below)
            if value is None or not known or not any(n.startswith(f"{name}.") for n in SERVICE):
                continue
            if not isinstance(value, dict):
                self.report.problem(self.service.name, item, name, RefusedError("is no mapping"), *below)
            else:
                self._tell(f"{name}.", {k: (item, (*below, k)) for k in value})

    def _choose_image(self) -> None:
        image = self._image or self.read(values.text, "image")
        if image:
            at = "image" if "image" in self.service.keys else "build"
            self.found.spec["image"] = image
            self.found.items["image"] = self.service.keys.get(at, self.service.item)
            if self.value("build") and not self._image:
                said = "nothing is built yet: the image has to be at its registry"
                self.note("build", said, "build and push it first")
            return
        self.found.left_out = True
        if self.value("build"):
            self.note("build", "nothing is built yet, so it is left out", SERVICE["build"].instead)
        elif not self.value("provider"):
            self.report.note(self.service.name, self.service.item, "", "has no image, so it is left out", "name one")

    def _words(self) -> None:
        entry = self._line("entrypoint")
        words = self._line("command")
        if entry == []:  # the image's entry point is taken away, and what runs is the command
            if words:
                entry, words = words, None
            else:
                self.note("entrypoint", "is empty: the image's own is not taken away without a command", "write both")
        elif words == [] and not entry:
            self.note("command", "is empty: the image's own is not taken away", "write what is to be run")
        if entry and entry[0] == "":
            self.note("entrypoint" if "entrypoint" in self.service.keys else "command", "names no program")
            return
        self.put("command", entry or None, "entrypoint" if self.value("entrypoint") else "command")
        self.put("args", words or None, "command")

    def _line(self, key: str) -> list[str] | None:
        def split(value: Any) -> list[str]:
            if isinstance(value, list):
                return [values.word(word) for word in value]
            words, rest = values.split_words(values.text(value))
            if rest:
                said = "Compose runs no shell and stops at the first of ; & | < > outside of quotes, and so does this"
                self.note(key, said, "write [sh, -c, ...] where a shell is meant")
            return words

        return self.read(split, key, confidential=True)

    def _order(self) -> None:
        if waits(self.service):
            self.partly("depends_on")

    def _replicas(self) -> None:
        for path in (("scale",), ("deploy", "replicas")):
            self.put("replicas", self.read(values.number, *path), path[0])
        mode = self.read(values.text, "deploy", "mode")
        if mode not in (None, "replicated"):
            self.partly("deploy.mode", quote(self.value("deploy", "mode")), "mode")
            self.found.left_out |= mode != "global"

    def _restart(self) -> None:
        """Once its port and its check are known: what answers requests is always started again."""
        restart = self.read(lambda value: "no" if value is False else values.text(value), "restart") or "always"
        policy = self.value("deploy", "restart_policy")
        condition = self.read(values.text, "deploy", "restart_policy", "condition") or "any"
        ends = not {"port", "healthcheck"} & self.found.spec.keys()
        if restart.startswith("on-failure") and ends:
            self.put("restart", "on-failure", "restart")
        elif condition == "on-failure" and ends:
            self.put("restart", "on-failure", "deploy")
        if restart not in ("", "always", "unless-stopped") and not (restart == "on-failure" and ends):
            self.partly("restart")
        kept = condition == "any" or (condition == "on-failure" and ends)
        if policy is not None and not (kept and isinstance(policy, dict) and policy.keys() <= {"condition"}):
            self.partly("deploy.restart_policy", "", "restart_policy")

    def _limits(self) -> None:
        for path in (("cpus",), ("deploy", "resources", "limits", "cpus")):
            cores = self.read(values.cores, *path)
            self.put("cpu", format_cpu(cores) if cores else None, path[0])
        for path in (("mem_limit",), ("deploy", "resources", "limits", "memory")):
            memory = self.read(values.mebibytes, *path)
            self.put("memory", format_memory(memory) if memory else None, path[0])

    def _port(self) -> None:
        both = [self.read(opened, key) or Opened() for key in ("ports", "expose")]
        if both[0].entries:
            self.partly("ports")
        ports = list(dict.fromkeys([*both[0].ports, *both[1].ports]))
        labelled = self._labels()
        port = labelled or next(iter(ports), None)
        key = "ports" if both[0].ports else "expose" if both[1].ports else "labels"
        if port is not None:
            self.found.spec["port"] = port
            self.found.items["port"] = self.service.keys.get(key, self.service.item)
        others = ", ".join(str(other) for other in ports if other != port)
        if others:
            named = "one port" if self.report.used(self.found.items["port"]) else f"port {port} and not {others}"
            self.note(key, f"the edge is given {named}", SERVICE["expose"].why)
        for name, entry in zip(("ports", "expose"), both, strict=True):
            for said in entry.without:
                named = "a port" if self.report.used(self.service.keys[name]) else said
                self.note(name, f"{named} has no counterpart: the edge speaks HTTP over TCP")
        if self.found.hosts and port is None:
            for host, item in self.found.hosts:
                named = "a host name" if self.report.used(item) else quote(host)
                said = f"{named} leads to no port that is known, so no Domain is written"
                self.report.note(self.service.name, item, "labels", said, "say which with ports, expose or a label")
            self.found.hosts.clear()

    def _labels(self) -> int | None:
        port = None
        for path in (("labels",), ("deploy", "labels")):
            name = ".".join(path)
            labels = self.read(values.labels, *path)
            said = routes(labels or {})
            self.found.hosts += [(h, self.service.keys[path[0]]) for hosts in said.hosts.values() for h in hosts]
            if said.port:
                port = int(said.port) if re.fullmatch(r"[0-9]{1,5}", said.port, re.ASCII) else port
            if said.rest:
                filled = self.report.used(self.service.keys[path[0]])
                named = f"{len(said.rest)} labels" if filled else ", ".join(map(shown, said.rest))
                self.note(name, f"no counterpart: {named}", SERVICE["labels"].why, *path[1:])
        return port

    def _check(self) -> None:
        if self.value("healthcheck") is not None:
            self.put("healthcheck", healthcheck(self), "healthcheck")

    def _rest(self) -> None:
        grace = self.read(values.duration, "stop_grace_period")
        if grace is not None:
            if grace.microseconds:
                self.note("stop_grace_period", "is rounded up to whole seconds")
            whole = -(-grace // values.SECOND) * values.SECOND
            self.put("stopGracePeriod", format_duration(whole), "stop_grace_period")
        user = self.read(values.text, "user")
        if user and (numeric := _USER.fullmatch(user)):
            ids = [str(int(part)) if part != "root" else "0" for part in numeric.groups() if part]
            self.put("runAs", ":".join(ids), "user")
        elif user:
            self.partly("user")
        networks = self.value("networks")
        for name, given in networks.items() if isinstance(networks, dict) else ():
            if given:
                self.partly("networks", shown(name), name)

    def _writable(self) -> None:
        """Compose's defaults are written out, as they are others: no init, a root that can be written to, no tmpfs."""
        for name, key in (("init", "init"), ("readOnlyRootFilesystem", "read_only")):
            self.found.spec[name] = bool(self.read(values.truth, key))
            self.found.items[name] = self.service.keys.get(key, self.service.item)
        paths: dict[str, str | dict[str, str]] = {}
        for path in self.read(values.texts, "tmpfs") or []:
            bare, _, options = path.partition(":")
            more = partial(self.partly, "tmpfs", "" if self.report.used(self.service.keys["tmpfs"]) else quote(bare))
            made = self.parsed(partial(sized, bare, more=more), options, "tmpfs")
            if made is not None:
                paths[values.normal_path(bare)] = made
        paths |= volumes(self)
        self.found.spec["tmpfs"] = list(paths.values())
        self.found.items["tmpfs"] = self.service.keys.get("tmpfs", self.service.item)
