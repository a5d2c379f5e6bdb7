"""Streams of what happens, as server-sent events: one listener and one reader in the process, for all who follow."""
