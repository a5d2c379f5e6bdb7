"""So many rollouts at once and no more; the others wait, say so, and get their turn."""

from __future__ import annotations

from typing import Any

from tests.e2e.world import World, eventually


def test_rollouts_beyond_the_limit_wait_for_their_turn_and_stopped_ones_do_not(here: World) -> None:
    controller = here.controller(SKYPANEL_MAX_ROLLOUTS="1").start()
    first, second = here.app(here.organization("acme"), "shop"), here.app(here.organization("globex"), "shop")
    environments = [here.environment(app, name) for app in (first, second) for name in ("a", "b")]
    stopped = here.environment(first, "stopped", instances=0)
    queued: set[str] = set()
    most = 0

    def runs(status: dict[str, Any]) -> bool:
        """Its tasks are up; they need not have stayed up for the time that Ready asks for."""
        services = (status.get("details") or {}).get("services") or {}
        return bool(services) and all(s["running"] == s["desired"] for s in services.values())

    def all_ready() -> bool:
        nonlocal most
        made = sum(any(part in name for part in ("-a-web_", "-b-web_")) for name in here.services())
        said = {e: here.status("environment", e) or {} for e in environments}
        queued.update(e for e, status in said.items() if status.get("reason") == "RolloutQueued")
        most = max(most, made - sum(map(runs, said.values())))
        return all(status.get("ready") for status in said.values())

    here.wait_ready(stopped)
    eventually(all_ready, seconds=60, what="each had its turn")
    assert most == 1
    assert len(queued) >= 2
    assert controller.metric("skypanel_rollouts_waiting") == 0
