"""A private Docker Engine in Swarm mode for the demo and the tests.

`lab` has the whole of it: names, nodes, what `up` and `down` do. `sandbox` says how a node is kept apart from
the machine, `images` where images come from without a registry. From a terminal: `python -m deploy.engine
--help`.
"""

from deploy.engine.api import EngineApi
from deploy.engine.errors import EngineApiError, LabError
from deploy.engine.images import PREFIX as IMAGE_PREFIX
from deploy.engine.lab import Description, Lab, Node, down, find, names, require, up

__all__ = [
    "IMAGE_PREFIX",
    "Description",
    "EngineApi",
    "EngineApiError",
    "Lab",
    "LabError",
    "Node",
    "down",
    "find",
    "names",
    "require",
    "up",
]
