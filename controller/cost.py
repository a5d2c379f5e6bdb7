"""What an organization's environments cost by the hour and by the month, before a change and after it.

A plan's prices are those of one task: each replica that is declared costs them, and what is suspended costs nothing, as
nothing of it runs. A price that a plan leaves at zero follows from its other one, with 730 hours a month.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from specs.kinds import TENANT_WORD

HOURS_A_MONTH = 730
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Sized:
    """An environment that is not deleted.

    Args:
        path: its names, from the organization down, with slashes.
        plan: name of its plan; None: it has none.
        price_hourly: of one task; None without a plan.
        price_monthly: of one task; None without a plan.
        tasks: replicas that are declared.
        suspended: it, its app or its organization is.
    """

    path: str
    plan: str | None
    price_hourly: Decimal | None
    price_monthly: Decimal | None
    tasks: int
    suspended: bool

    @property
    def tenant(self) -> str:
        """The slug of whose it is."""
        return self.path.partition("/")[0]

    @property
    def costs(self) -> tuple[Decimal, Decimal]:
        """By the hour and by the month."""
        hourly, monthly = self.price_hourly or _NOTHING, self.price_monthly or _NOTHING
        running = 0 if self.suspended else self.tasks
        return (hourly or monthly / HOURS_A_MONTH) * running, (monthly or hourly * HOURS_A_MONTH) * running


@dataclass(frozen=True, slots=True)
class Change:
    """A cost before and after."""

    before: Decimal
    after: Decimal

    def document(self) -> dict[str, str]:
        """For programs: text, as a number would be a binary fraction."""
        return {"before": _plain(self.before), "after": _plain(self.after)}

    def __str__(self) -> str:
        if self.before == self.after:
            return _plain(self.after)
        return f"{_plain(self.before)} -> {_plain(self.after)}"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one organization.

    Args:
        tenant: its slug.
        hourly: by the hour.
        monthly: by the month.
        without_plan: paths of environments that have no plan afterwards, and so no price.
    """

    tenant: str
    hourly: Change
    monthly: Change
    without_plan: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """For programs."""
        return {
            TENANT_WORD: self.tenant,
            "hourly": self.hourly.document(),
            "monthly": self.monthly.document(),
            "withoutPlan": list(self.without_plan),
        }


def compare(before: Iterable[Sized], after: Iterable[Sized]) -> list[Cost]:
    """What each organization costs, by its name; one whose environments are in neither list is not among them."""
    earlier, later = _by_tenant(before), _by_tenant(after)
    costs = []
    for tenant in sorted(earlier.keys() | later.keys()):
        was, will = _sum(earlier.get(tenant, [])), _sum(later.get(tenant, []))
        priceless = sorted(sized.path for sized in later.get(tenant, []) if sized.plan is None)
        costs.append(Cost(tenant, Change(was[0], will[0]), Change(was[1], will[1]), tuple(priceless)))
    return costs


def _by_tenant(environments: Iterable[Sized]) -> dict[str, list[Sized]]:
    found: dict[str, list[Sized]] = {}
    for sized in environments:
        found.setdefault(sized.tenant, []).append(sized)
    return found


def _sum(environments: Iterable[Sized]) -> tuple[Decimal, Decimal]:
    hourly = monthly = _NOTHING
    for sized in environments:
        hourly, monthly = hourly + sized.costs[0], monthly + sized.costs[1]
    return hourly, monthly


def _plain(price: Decimal) -> str:
    """With as many places as the prices of plans may have, and at least two: ``0.0069``, ``5.00``."""
    whole, _, places = f"{price.quantize(Decimal('0.000001')):f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"
