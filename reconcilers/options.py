"""Settings that renders depend on."""

from __future__ import annotations

from dataclasses import dataclass, field

from specs.image_policies import ImagePolicy
from specs.names import is_near


@dataclass(frozen=True, slots=True)
class Options:
    """Settings that a render depends on; a change of one changes what should exist.

    Args:
        installation: value of the installation label.
        edge_entrypoints: Traefik entry points of the routers, such as ``("web",)``.
        edge_cert_resolver: Traefik certificate resolver; routers are TLS routers when it is set.
        monitor_seconds: how long Swarm watches a new task before it goes on with the rollout.
        min_ready_seconds: how long tasks must have run before they count as stable.
        progress_deadline_seconds: a rollout that has not moved for so long is reported.
        release_command_seconds: a release command that has not ended by then has failed.
        edge_settle_seconds: so long after a change of routes the edge has taken it up for certain.
        subnet_pool: CIDR that organizations' subnets are cut from.
        pin_image: image whose entry point sleeps until SIGTERM.
        require_userns: whether tenants' tasks run only on nodes that are labelled as having userns-remap.
        require_run_as: whether every environment says which user it runs as, so that root is declared.
        image_policy: the installation's; each organization has its own beside it.
        api_host: host name of the HTTP API behind the edge, which no environment gets; empty: there is none.
        console_host: host name of the console, which no environment gets, nor one above or below it; empty: none.
        allowed_registries: registries on private hosts that images may come from; ``*`` stands for any characters.
    """

    installation: str
    edge_entrypoints: tuple[str, ...] = ("web",)
    edge_cert_resolver: str | None = None
    monitor_seconds: float = 5.0
    min_ready_seconds: float = 5.0
    progress_deadline_seconds: float = 120.0
    release_command_seconds: float = 3600.0
    edge_settle_seconds: float = 20.0
    subnet_pool: str = "10.64.0.0/12"
    pin_image: str = "rancher/mirrored-pause:3.10"
    require_userns: bool = False
    require_run_as: bool = False
    image_policy: ImagePolicy = field(default_factory=ImagePolicy)
    allowed_registries: tuple[str, ...] = ()
    api_host: str = ""
    console_host: str = ""

    def keeps(self, hostname: str) -> str:
        """The setting by which no environment gets this host name; empty: there is none."""
        if self.api_host and hostname == self.api_host:
            return "SKYPANEL_API_HOST"
        return "SKYPANEL_CONSOLE_ORIGIN" if is_near(hostname, self.console_host) else ""
