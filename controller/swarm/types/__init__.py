"""The types of objects on a Swarm: the registry that planning, writing, watching and counting go over.

The order is that in which they are made: what is referred to before what refers to it. They are removed in the opposite
one.
"""

from __future__ import annotations

from collections.abc import Mapping

from controller.swarm.types.base import ObjectType
from controller.swarm.types.config import CONFIG
from controller.swarm.types.job import JOB
from controller.swarm.types.network import NETWORK
from controller.swarm.types.secret import SECRET
from controller.swarm.types.service import SERVICE

TYPES: tuple[ObjectType, ...] = (NETWORK, SECRET, CONFIG, SERVICE, JOB)
BY_NAME: Mapping[str, ObjectType] = {each.name: each for each in TYPES}
LISTS: tuple[str, ...] = tuple(dict.fromkeys(each.listed_as for each in TYPES))
"""What the engine calls them in its events."""
EDGE = "edge"
"""No object of the Swarm, but something that is changed: on which networks the edge's containers are."""
WRITTEN = (*BY_NAME, EDGE)
"""All that changes can be of."""
