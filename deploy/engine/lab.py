"""A named lab: its description on disk, and the steps that make the machine match it.

`up` is a straight line of steps, each of which does nothing when it was done before; so a second `up` is
quick, and one after a crash or a reboot finishes or repairs. `down` needs no memory of what was started: it
ends the sandboxes that carry the lab's mark and removes its folder.
"""

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from deploy.engine import daemon, forward, network, sandbox, swarm
from deploy.engine.api import EngineApi
from deploy.engine.daemon import Daemon
from deploy.engine.errors import LabError
from deploy.engine.forward import Forward
from deploy.engine.images import Image, load
from deploy.engine.paths import LabPaths, exclusive, lab_paths
from deploy.engine.sandbox import Sandbox

NODES_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Description:
    """What was asked for; kept, so that a later `up NAME` needs no options."""

    nodes: int = 1
    managers: int = 1
    suite: str = daemon.DEFAULT_SUITE
    forwards: tuple[str, ...] = ()
    pulls: bool = False

    def check(self) -> None:
        """Refuse what cannot be built.

        Raises:
            LabError: a figure is out of range, or the suite or a forward is unknown.
        """
        if not 1 <= self.nodes <= NODES_LIMIT:
            raise LabError(f"--nodes {self.nodes}: a lab has 1 to {NODES_LIMIT} nodes")
        if not 1 <= self.managers <= self.nodes:
            raise LabError(f"--managers {self.managers}: of {self.nodes} nodes, 1 to {self.nodes} can be managers")
        if self.suite not in daemon.PACKAGES:
            raise LabError(f"--suite {self.suite}: choose one of {', '.join(daemon.PACKAGES)}")
        for text in self.forwards:
            Forward.parse(text)


@dataclass(frozen=True, slots=True)
class Asked:
    """What `up` was called with; None, or nothing: as it was."""

    nodes: int | None
    managers: int | None
    suite: str | None
    forwards: tuple[str, ...]
    pulls: bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a running lab."""

    index: int
    address: str
    daemon: Daemon

    @property
    def socket(self) -> Path:
        """The engine's unix socket on the host."""
        return self.daemon.socket

    @property
    def docker_host(self) -> str:
        """The engine's address in the form that Docker's clients read from DOCKER_HOST."""
        return f"unix://{self.socket}"

    def api(self) -> EngineApi:
        """Calls to this node's engine."""
        return self.daemon.api()

    def network(self) -> AbstractContextManager[None]:
        """Let the calling thread make connections from the node's network; see `Sandbox.entered_network`."""
        return self.daemon.sandbox.entered_network()


@dataclass(frozen=True, slots=True)
class Lab:
    """A running lab."""

    name: str
    description: Description
    nodes: tuple[Node, ...]
    switch: Sandbox = field(repr=False)

    @property
    def socket(self) -> Path:
        """The first manager's unix socket."""
        return self.nodes[0].socket

    @property
    def docker_host(self) -> str:
        """The first manager's address."""
        return self.nodes[0].docker_host

    def api(self) -> EngineApi:
        """Calls to the first manager."""
        return self.nodes[0].api()

    def cut(self, index: int) -> None:
        """Cut node `index` (1-based) off from the others; it runs on."""
        network.cut(self.switch, index)

    def heal(self, index: int) -> None:
        """End the cut."""
        network.heal(self.switch, index)


def up(
    name: str,
    *,
    nodes: int | None = None,
    managers: int | None = None,
    suite: str | None = None,
    images: Sequence[str] = (),
    forwards: Sequence[str] = (),
    pulls: bool | None = None,
) -> Lab:
    """Bring a lab up, or mend it, or find that it runs; what is not given stays as it was.

    Args:
        name: the lab's name.
        nodes: how many nodes, each with an engine of its own.
        managers: how many of them are managers (the first ones).
        suite: the Debian suite whose engine is used.
        images: names of the manifest, "web" or "web:2", loaded on every node.
        forwards: `[ADDRESS:]HOST_PORT:NODE_PORT`, to the first node, added to those there are.
        pulls: whether tasks ask registries for their images; else they have what is loaded, and ask nobody.

    Raises:
        LabError: with what is wrong and how to mend it.
    """
    paths = lab_paths(name)
    with locked(name):
        asked = Asked(nodes, managers, suite, tuple(str(Forward.parse(f)) for f in forwards), pulls)
        description = _describe(paths, asked)
        lab = _start(paths, description)
        _form_swarm(lab)
        _load(lab, load(images))
        for text in description.forwards:
            first = lab.nodes[0]
            forward.ensure(Forward.parse(text), first.daemon.sandbox, first.address, paths.node(1) / "forward.log")
    return lab


def down(name: str) -> None:
    """End everything of a lab and remove its folder; harmless when there is none."""
    paths = lab_paths(name)
    with locked(name):
        for mark in {*_folders(paths), *(Path(mark) for mark in _living(paths))}:
            if found := sandbox.find(mark):
                found.destroy()
            daemon.remove_cgroups(daemon.cgroup_name(mark))
        if paths.description.exists():
            for text in _read(paths).forwards:
                forward.wait_ended(Forward.parse(text), str(paths.node(1)))
        for leftover in paths.root.glob(f".{name}.removing-*"):
            shutil.rmtree(leftover)
        daemon.remove_folder(paths.home)


def find(name: str) -> Lab | None:
    """The lab, if all its sandboxes live; whether its engines answer is another question (see `status`)."""
    paths = lab_paths(name)
    if not paths.description.exists():
        return None
    description = _read(paths)
    sandboxes = [sandbox.find(paths.node(index)) for index in range(description.nodes + 1)]
    if not all(sandboxes):
        return None
    binaries = daemon.binaries(description.suite)
    return _assemble(paths, description, [found for found in sandboxes if found], binaries)


def require(name: str) -> Lab:
    """The lab.

    Raises:
        LabError: it does not run.
    """
    if lab := find(name):
        return lab
    raise LabError(f"the lab {name!r} does not run: python -m deploy.engine up {name}")


def locked(name: str) -> AbstractContextManager[None]:
    """Keep others from changing the lab while the body runs."""
    return exclusive(lab_paths(name).root / f".{name}.lock")


def names() -> list[str]:
    """Names of the labs on this machine, running or not."""
    root = lab_paths("any").root
    return sorted(path.parent.name for path in root.glob("*/lab.json"))


def _describe(paths: LabPaths, asked: Asked) -> Description:
    """Merge what is asked with what there is, and write it down before anything is started."""
    known = _read(paths) if paths.description.exists() else None
    old = known or Description()
    wanted = replace(
        old,
        nodes=asked.nodes or old.nodes,
        managers=asked.managers or old.managers,
        suite=asked.suite or old.suite,
        forwards=(*old.forwards, *(text for text in asked.forwards if text not in old.forwards)),
        pulls=old.pulls if asked.pulls is None else asked.pulls,
    )
    wanted.check()
    if known and replace(wanted, forwards=known.forwards) != known:
        pulls = ", pulls" if known.pulls else ""
        raise LabError(
            f"the lab {paths.name!r} has {known.nodes} nodes, {known.managers} managers, suite {known.suite}{pulls}"
            f"; to change that: python -m deploy.engine down {paths.name}, then up again"
        )
    paths.home.mkdir(parents=True, exist_ok=True, mode=0o711)
    temporary = paths.description.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(wanted), indent=2) + "\n")
    temporary.replace(paths.description)
    return wanted


def _start(paths: LabPaths, description: Description) -> Lab:
    binaries = daemon.binaries(description.suite)
    tini = daemon.init_program(binaries)
    sandboxes = [
        # A resolver on the node itself, where nothing listens, refuses at once, with and without the switch.
        sandbox.create(
            paths.node(index),
            hostname=f"{paths.name}-n{index}" if index else f"{paths.name}-switch",
            resolver=f"nameserver {network.node_address(index)}\n",
            tini=tini,
        )
        for index in range(description.nodes + 1)
    ]
    network.prepare_switch(sandboxes[0])
    for index, inside in enumerate(sandboxes[1:], start=1):
        network.plug(sandboxes[0], inside, index)
    lab = _assemble(paths, description, sandboxes, binaries)
    for node in lab.nodes:
        node.daemon.start()
    for node in lab.nodes:
        node.daemon.wait()
    return lab


def _assemble(paths: LabPaths, description: Description, sandboxes: list[Sandbox], binaries: Path) -> Lab:
    nodes = tuple(
        Node(
            index,
            network.node_address(index),
            Daemon(
                found,
                paths.node(index),
                binaries,
                daemon.cgroup_name(paths.node(index)),
                pulls=description.pulls,
            ),
        )
        for index, found in enumerate(sandboxes[1:], start=1)
    )
    return Lab(paths.name, description, nodes, sandboxes[0])


def _form_swarm(lab: Lab) -> None:
    first, *others = lab.nodes
    swarm.begin(first.api())
    for node in others:
        swarm.join(node.api(), first.api(), node.index, manager=node.index <= lab.description.managers)
    swarm.wait(first.api(), len(lab.nodes))


def _load(lab: Lab, images: Sequence[Image]) -> None:
    with ThreadPoolExecutor(max_workers=max(1, len(lab.nodes))) as pool:
        for finished in [pool.submit(image.load_into, node.api()) for node in lab.nodes for image in images]:
            finished.result()


def _read(paths: LabPaths) -> Description:
    document = json.loads(paths.description.read_text())
    return Description(**{**document, "forwards": tuple(document["forwards"])})


def _folders(paths: LabPaths) -> list[Path]:
    return [path for path in paths.home.glob("*") if path.is_dir()]


def _living(paths: LabPaths) -> set[str]:
    """Marks of this lab's sandboxes whose folder may be gone."""
    return {mark for mark in sandbox.marks() if Path(mark).parent == paths.home}
