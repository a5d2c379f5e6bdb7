"""Secrets: contents that the engine never gives back; that one is as it should be is known by its name alone."""

from __future__ import annotations

from controller.swarm.types.content import ContentType

SECRET = ContentType("secret", readable=False)
