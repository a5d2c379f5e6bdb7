"""What writes the objects of each type of the registry; see ``controller.swarm.types``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from controller.swarm.types.config import CONFIG
from controller.swarm.types.job import JOB
from controller.swarm.types.network import NETWORK
from controller.swarm.types.secret import SECRET
from controller.swarm.types.service import SERVICE
from controller.swarm.writers.base import Engine, Writer
from controller.swarm.writers.content import ContentWriter
from controller.swarm.writers.job import JobWriter
from controller.swarm.writers.network import NetworkWriter
from controller.swarm.writers.service import ServiceWriter

WRITERS: Mapping[str, Callable[[Engine], Writer]] = {
    NETWORK.name: NetworkWriter,
    SECRET.name: partial(ContentWriter, SECRET.name),
    CONFIG.name: partial(ContentWriter, CONFIG.name),
    SERVICE.name: ServiceWriter,
    JOB.name: JobWriter,
}
