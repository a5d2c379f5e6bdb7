"""Machines to install on: a bare Debian with a systemd of its own, in namespaces, as one that was just delivered."""
