"""What environments cost, before a change and after it."""

from __future__ import annotations

from decimal import Decimal

from controller.cost import Sized, compare


def sized(path: str = "acme/shop/production", tasks: int = 1, **changes: object) -> Sized:
    small = {"plan": "small", "price_hourly": Decimal("0.0069"), "price_monthly": Decimal(5), "suspended": False}
    return Sized(path, tasks=tasks, **{**small, **changes})  # type: ignore[arg-type]


def told(before: list[Sized], after: list[Sized]) -> list[tuple[str, str, str]]:
    return [(cost.tenant, str(cost.hourly), str(cost.monthly)) for cost in compare(before, after)]


def test_every_replica_costs_the_prices_of_its_plan() -> None:
    assert told([sized()], [sized(tasks=3)]) == [("acme", "0.0069 -> 0.0207", "5.00 -> 15.00")]


def test_what_is_suspended_or_has_no_replica_costs_nothing() -> None:
    assert told([sized()], [sized(suspended=True)]) == [("acme", "0.0069 -> 0.00", "5.00 -> 0.00")]
    assert told([sized()], [sized(tasks=0)]) == [("acme", "0.0069 -> 0.00", "5.00 -> 0.00")]


def test_what_stays_the_same_is_told_once() -> None:
    assert told([sized()], [sized()]) == [("acme", "0.0069", "5.00")]


def test_organizations_are_told_apart_and_summed() -> None:
    before = [sized(), sized("acme/shop/staging"), sized("globex/site/production")]
    after = [*before, sized("initech/tps/production", 2)]
    assert told(before, after) == [
        ("acme", "0.0138", "10.00"),
        ("globex", "0.0069", "5.00"),
        ("initech", "0.00 -> 0.0138", "0.00 -> 10.00"),
    ]


def test_a_price_that_is_left_out_follows_from_the_other_one() -> None:
    assert told([], [sized(price_monthly=Decimal(0))]) == [("acme", "0.00 -> 0.0069", "0.00 -> 5.037")]
    assert told([], [sized(price_hourly=Decimal(0), price_monthly=Decimal("7.3"))]) == [
        ("acme", "0.00 -> 0.01", "0.00 -> 7.30")
    ]


def test_many_small_prices_are_added_before_they_are_rounded() -> None:
    ((_, hourly, _),) = told(
        [], [sized(f"acme/a{n}/p", price_hourly=Decimal(0), price_monthly=Decimal(1)) for n in range(730)]
    )
    assert hourly == "0.00 -> 1.00"


def test_what_has_no_plan_is_named_and_costs_nothing() -> None:
    bare = sized("acme/shop/staging", plan=None, price_hourly=None, price_monthly=None)
    (cost,) = compare([bare], [bare, sized()])
    assert cost.document() == {
        "organization": "acme",
        "hourly": {"before": "0.00", "after": "0.0069"},
        "monthly": {"before": "0.00", "after": "5.00"},
        "withoutPlan": ["acme/shop/staging"],
    }
