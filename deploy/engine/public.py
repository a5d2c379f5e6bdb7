"""Public images: taken instead of our own builds when a registry of images answers.

An engine knows best how to talk to registries, so one is started for the moment: in a sandbox of its own but
with the host's network, where it makes no bridge and no firewall rule. It writes the image out as a tar, and
ends.

Most machines this runs on are asked once and never again: the answer "no registry" is kept for a while.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.engine import daemon, sandbox
from deploy.engine.api import EngineApi
from deploy.engine.daemon import Daemon
from deploy.engine.errors import LabError
from deploy.engine.paths import cache_root, exclusive

ANSWER_SECONDS = 4.0  # a registry that needs longer to describe one image is no help
PULL_SECONDS = 300.0
SILENCE_IS_KEPT_SECONDS = 3600.0
NO_NETWORKS = (("bridge", "none"), ("iptables", False), ("ip-forward", False))


def pull(source: str, reference: str, tar: Path) -> str | None:
    """Fetch a public image and write it as a tar under the lab's name for it.

    Args:
        source: the public name with its tag.
        reference: the name that the tar gives it.
        tar: appears only when it is whole.

    Returns:
        The image's id; None when no registry answers for it.
    """
    silence = cache_root() / "no-registry" / _registry(source)
    if silence.exists() and time.time() - silence.stat().st_mtime < SILENCE_IS_KEPT_SECONDS:
        return None
    with _engine() as socket:
        try:
            EngineApi(socket, seconds=ANSWER_SECONDS).get(f"/distribution/{source}/json")
        except LabError:
            silence.parent.mkdir(parents=True, exist_ok=True)
            silence.touch()
            return None
        api = EngineApi(socket, seconds=PULL_SECONDS)
        name, _, tag = source.rpartition(":")
        answer = api.post("/images/create", fromImage=name, tag=tag)
        problems = [line["error"] for line in answer if "error" in line] if isinstance(answer, list) else []
        if problems:
            raise LabError(f"the registry answers, but {source} cannot be pulled: {problems[0]}")
        repository, _, local_tag = reference.rpartition(":")
        api.post(f"/images/{source}/tag", repo=repository, tag=local_tag)
        partial = tar.with_suffix(".partial")
        api.download("/images/get", partial, names=reference)
        partial.rename(tar)
        return str(api.get(f"/images/{reference}/json")["Id"])


def _registry(source: str) -> str:
    """The host in an image's name; without one it is the engine's default registry."""
    first, slash, _ = source.partition("/")
    return first if slash and ("." in first or ":" in first) else "default"


@contextmanager
def _engine() -> Iterator[Path]:
    """The socket of an engine on the host's network, for the length of the body."""
    folder = cache_root() / "puller"
    with exclusive(folder.with_suffix(".lock")):
        binaries = daemon.binaries(daemon.DEFAULT_SUITE)
        inside = sandbox.create(
            folder,
            hostname="puller",
            resolver=Path("/etc/resolv.conf").read_text(),
            tini=daemon.init_program(binaries),
            own_network=False,
        )
        engine = Daemon(inside, folder, binaries, daemon.cgroup_name(folder), NO_NETWORKS)
        try:
            engine.start()
            engine.wait()
            yield engine.socket
        finally:
            inside.destroy()
            daemon.remove_cgroups(daemon.cgroup_name(folder))
            daemon.remove_folder(folder)
