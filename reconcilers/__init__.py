"""What each kind means on Swarm; ``registry.registered()`` finds all that there are."""
