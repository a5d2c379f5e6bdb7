"""Webhooks of sources: a forge says that something was pushed, and the source looks for itself what is there."""
