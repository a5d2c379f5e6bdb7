"""Whose a host name is, by the live rules and by those that are being written; who is told when it is free."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from controller.kit import clock
from controller.swarm.hosts import Hosts, OwnerKey

ACME, GLOBEX = ("environment", "acme"), ("environment", "globex")
HOST, OTHER = "www.example.com", "blog.example.com"


class Told(list[OwnerKey]):
    """Owners that were told."""

    def __call__(self, owners: Iterable[OwnerKey]) -> None:
        self.extend(sorted(owners))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def hosts(told: Told) -> Hosts:
    return Hosts(told)


def test_a_host_name_is_that_of_whose_service_has_a_rule_for_it(hosts: Hosts) -> None:
    hosts.put("1", ACME, frozenset({HOST, OTHER}))
    assert hosts.owners(HOST) == {ACME}
    assert hosts.elsewhere(GLOBEX, [HOST, "free.example.com"]) == {HOST}
    assert hosts.elsewhere(ACME, [HOST]) == frozenset()
    hosts.put("1", ACME, frozenset({OTHER}))
    assert not hosts.owners(HOST)
    assert hosts.owners(OTHER) == {ACME}
    hosts.drop("1")
    assert hosts.owners(OTHER) == frozenset()


def test_who_waits_is_told_when_the_last_rule_of_another_is_gone_and_once(hosts: Hosts, told: Told) -> None:
    hosts.put("1", ACME, frozenset({HOST}))
    hosts.put("2", ACME, frozenset({HOST}))
    hosts.elsewhere(GLOBEX, [HOST])
    hosts.drop("1")
    assert told == [], "its other service still has the rule"
    hosts.put("2", ACME, frozenset())
    hosts.put("2", ACME, frozenset({HOST}))
    hosts.drop("2")
    assert told == [GLOBEX]


def test_of_two_that_want_a_free_name_at_once_one_gets_it_and_the_other_is_told(hosts: Hosts, told: Told) -> None:
    assert hosts.claim(ACME, frozenset({HOST})) == frozenset()
    assert hosts.claim(GLOBEX, frozenset({HOST, OTHER})) == {HOST}
    assert hosts.owners(OTHER) == frozenset(), "none is taken when one is not free"
    hosts.settle(ACME, frozenset({HOST}), known=True)
    assert told == [GLOBEX], "the write failed: nothing of it is live"


def test_a_name_whose_write_had_no_answer_stays_taken_for_a_while(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.monotonic()
    hosts.claim(ACME, frozenset({HOST}))
    hosts.settle(ACME, frozenset({HOST}), known=False)
    assert hosts.elsewhere(GLOBEX, [HOST]) == {HOST}
    assert hosts.claim(ACME, frozenset({HOST})) == frozenset(), "its own next write goes on"
    hosts.settle(ACME, frozenset({HOST}), known=False)
    monkeypatch.setattr(clock, "monotonic", lambda: now + 3600.0)
    assert hosts.elsewhere(GLOBEX, [HOST]) == frozenset()
