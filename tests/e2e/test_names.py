"""New names and host names that change hands, on a real Swarm with a real edge: nobody notices who should not."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.world import World, eventually

REQUESTS_A_SECOND = 20


@contextmanager
def requests(world: World, host: str) -> Iterator[Counter[int | str]]:
    """Ask for ``host`` all the time; how often each status came, or each error."""
    seen: Counter[int | str] = Counter()
    over = threading.Event()

    def ask() -> None:
        while not over.wait(1 / REQUESTS_A_SECOND):
            try:
                seen[world.curl(host)[0]] += 1
            except OSError as error:
                seen[repr(error)] += 1

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(2)]  # one that waits must not hide others
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join(10)


def test_a_renamed_app_and_organization_answer_every_request(here: World) -> None:
    here.controller().start()
    host = f"shop.{here.name}.localhost"
    app = here.app(here.organization("acme"), "shop")
    environment = here.environment(app, instances=2)
    here.insert("paas_domains", environment_id=environment, hostname=host)
    here.wait_ready(environment)
    eventually(lambda: here.curl(host)[0] == 200, what="it is routed")
    networks = set(here.networks())

    with requests(here, host) as seen:
        here.sql("UPDATE paas_apps SET slug = 'store' WHERE id = %s", app)
        here.wait_ready(environment, seconds=60)
        assert set(here.services()) == {here.service("acme-store-production"), here.pin()}
        here.root("UPDATE organizations SET slug = %s", here.slug("apex"))
        here.wait_ready(environment, seconds=60)
        already = seen[200]
        eventually(lambda: seen[200] > already + 120, what="the edge answers what it makes of the last change")
    assert set(here.services()) == {here.service("apex-store-production"), here.pin("apex")}
    assert set(here.networks()) == networks
    assert set(seen) == {200}, seen


def test_tenants_whose_names_read_the_same_both_run_and_do_not_stop_each_other_s_renames(here: World) -> None:
    here.controller().start()
    one = here.environment(here.app(here.organization("acme"), "shop-eu"))
    globex = here.organization("globex")
    other = here.environment(here.app(globex, "eu"))
    here.wait_ready(one)
    here.wait_ready(other)
    here.root("UPDATE organizations SET slug = %s WHERE id = %s", here.slug("acme-shop"), globex)
    here.wait_ready(other, seconds=60)
    services = {name: s["Spec"]["Labels"]["io.skypanel.owner"] for name, s in here.services().items()}
    readable = f"{here.slug('acme-shop-eu')}-production-web_"
    assert {o for name, o in services.items() if name.startswith(readable)} == {
        f"environment/{one}",
        f"environment/{other}",
    }


def test_a_host_name_goes_to_another_tenant_only_when_the_one_before_has_let_go(here: World) -> None:
    here.controller().start()
    host = f"www.{here.name}.localhost"
    first = here.environment(here.app(here.organization("acme"), "shop"))
    second = here.environment(here.app(here.organization("globex"), "site"))
    domain = here.insert("paas_domains", environment_id=first, hostname=host)
    here.wait_ready(first)
    here.wait_ready(second)
    assert here.skypanel("pause", "environment", f"{here.slug('acme')}/shop/production").returncode == 0
    here.sql("UPDATE paas_domains SET environment_id = %s WHERE id = %s", second, domain)
    eventually(
        lambda: here.conditions("domain", domain)["Ready"]["reason"] == "NameStillInUse", what="it waits and says so"
    )
    message = here.conditions("environment", second)["Ready"]["message"]
    assert host in message
    assert "acme" not in message
    rules = [label for s in here.services().values() for label in s["Spec"]["Labels"].values() if host in label]
    assert len(rules) == 1
    assert here.skypanel("resume", "environment", f"{here.slug('acme')}/shop/production").returncode == 0
    eventually(lambda: (here.status("domain", domain) or {})["ready"], what="it is routed")
    here.wait_ready(first)
    (owner,) = {
        s["Spec"]["Labels"]["io.skypanel.owner"]
        for s in here.services().values()
        if any(host in label for label in s["Spec"]["Labels"].values())
    }
    assert owner == f"environment/{second}"
