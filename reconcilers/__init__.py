"""What each kind means on Swarm: one module a kind, registered by its decorator when this package is imported."""

from reconcilers import environment, organization

__all__ = ["environment", "organization"]
