"""Prometheus as Debian packages it, beside the system, for tests; and the alert rules, for operators."""

from deploy.prometheus.programs import prometheus, promtool

__all__ = ["prometheus", "promtool"]
