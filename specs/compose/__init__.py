"""Compose and stack files to resources: what is mapped, and what has no counterpart and why."""
