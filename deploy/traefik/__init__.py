"""The edge: Traefik as a Swarm service, and the read-only door through which it sees the engine."""

from deploy.traefik.edge import API_PORT, EDGE_LABEL, NETWORK, PAGE_SERVICE, SERVICE, SOCKET_SERVICE, deploy, wait

__all__ = ["API_PORT", "EDGE_LABEL", "NETWORK", "PAGE_SERVICE", "SERVICE", "SOCKET_SERVICE", "deploy", "wait"]
