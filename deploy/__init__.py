"""What surrounds the controller: a private engine, the Traefik edge, an embedded PostgreSQL."""
