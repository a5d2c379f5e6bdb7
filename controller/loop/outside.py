"""All that lies beyond the loop, in one record: the database, the engine, and what kinds use beside both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.loop.address_plan import StoredAddressPlan
from controller.loop.config import LoopConfig
from controller.loop.config_vars import StoredConfigVars
from controller.loop.logins import StoredLogins
from controller.loop.ports import Store, Swarm
from controller.loop.releases import StoredReleases
from controller.loop.vulnerabilities import StoredVulnerabilityReports
from controller.vault.vault import Vault
from reconcilers.address_plan import AddressPlan
from reconcilers.config_vars import ConfigVars
from reconcilers.helper import Helper
from reconcilers.logins import Logins
from reconcilers.port import Port
from reconcilers.ports import Options
from reconcilers.releases import Releases
from reconcilers.vulnerabilities import VulnerabilityReports


@dataclass(frozen=True, slots=True)
class Outside:
    """What a reconcile can reach.

    Args:
        store: the database.
        swarm: the engine.
        ports: adapters of what kinds use, by port.
    """

    store: Store
    swarm: Swarm
    ports: Mapping[type[Port], Port] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        store: Store,
        swarm: Swarm,
        *,
        options: Options,
        tuning: LoopConfig,
        vault: Vault | None = None,
        ports: Mapping[type[Port], Port] | None = None,
    ) -> Outside:
        """With the ports that store and engine themselves have, and ``ports``; without ``vault`` nothing is opened."""
        plan = StoredAddressPlan(store, pool=options.subnet_pool, quarantine_seconds=tuning.quarantine_seconds)
        vault = vault or Vault()
        own: dict[type[Port], Port] = {
            AddressPlan: plan,
            ConfigVars: StoredConfigVars(store, vault),
            Logins: StoredLogins(store, vault),
            Helper: swarm.helper,
            Releases: StoredReleases(store),
            VulnerabilityReports: StoredVulnerabilityReports(store),
        }
        return cls(store, swarm, {**own, **(ports or {})})
