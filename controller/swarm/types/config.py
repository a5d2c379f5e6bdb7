"""Configs: contents that can be read back, and are compared.

The mark of the installation is a config, too (``controller.swarm.identity``). It has no owner, and what has no owner is
nobody's to remove.
"""

from __future__ import annotations

from controller.swarm.types.content import ContentType

CONFIG = ContentType("config", readable=True)
