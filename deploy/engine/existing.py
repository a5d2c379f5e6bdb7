"""An engine that the machine already has: used only when told to, checked first, given the lab's images."""

import os
from collections.abc import Sequence
from pathlib import Path

from deploy.engine.api import EngineApi
from deploy.engine.errors import LabError
from deploy.engine.images import load

DEFAULT_HOST = "unix:///var/run/docker.sock"
API_FLOOR = (1, 44)


def use(images: Sequence[str] = (), docker_host: str | None = None) -> EngineApi:
    """Check an engine that somebody else runs, and load images into it; nothing else of it is changed.

    Args:
        images: names of the manifest.
        docker_host: `unix://` and a path; else DOCKER_HOST, else Docker's default socket.

    Raises:
        LabError: it does not answer, is too old, or is no manager of a Swarm.
    """
    address = docker_host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
    if not address.startswith("unix://"):
        raise LabError(f"DOCKER_HOST={address}: the lab loads images over a unix socket; use unix://PATH")
    api = EngineApi(Path(address.removeprefix("unix://")))
    version = api.get("/version")
    if tuple(int(part) for part in version["ApiVersion"].split(".")) < API_FLOOR:
        floor = ".".join(str(part) for part in API_FLOOR)
        raise LabError(
            f"the engine {version['Version']} on {address} speaks API {version['ApiVersion']}; {floor} or newer "
            "is needed, because older ones drop security settings silently: install Docker Engine 25 or newer, "
            "or leave out --use-existing for a private one"
        )
    if not api.get("/info")["Swarm"].get("ControlAvailable"):
        raise LabError(f"the engine on {address} is no manager of a Swarm: docker swarm init, or another DOCKER_HOST")
    for image in load(images):
        image.load_into(api)
    return api
