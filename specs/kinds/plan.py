"""Plan: how much an environment may use, and what that costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from specs.binding import Column, TableBinding
from specs.facts import KindFacts, spec
from specs.fields import CpuText, Flag, Gigabytes, MemoryText, Paragraph, Pids, Price, Slug
from specs.permits import VIEWER
from specs.resource import RENAMED_FROM, Metadata, Resource, Spec

HourlyPrice = Annotated[Decimal, Price(12, 6)]
MonthlyPrice = Annotated[Decimal, Price(12, 4)]


class PlanMetadata(Metadata):
    """Plans belong to the platform, not to an organization."""

    name: Slug = Field(description="Name of the plan.")
    renamed_from: Slug | None = Field(None, description=RENAMED_FROM)


class PlanSpec(Spec):
    """Limits of each task, and prices of the environment."""

    description: Paragraph | None = Field(None, description="Description of the plan.")
    cpu: CpuText = Field(description='Cores of each task: 0.25 or "250m".')
    memory: MemoryText = Field(description='Memory of each task: "64Mi" or "1Gi"; at least 4Mi.')
    pids: Pids = Field(256, description="Processes and threads of each task.")
    storage_gb: Gigabytes = Field(0, description="Storage in gigabytes.")
    bandwidth_gb: Gigabytes | None = Field(
        None, description="Outgoing traffic a month in gigabytes; not limited when left out."
    )
    price_hourly: HourlyPrice = Field(Decimal(0), description='Price of an hour, as text: "0.0069".')
    price_monthly: MonthlyPrice = Field(Decimal(0), description='Price of a month, as text: "5".')
    enabled: Flag = Field(True, description="Whether new environments may choose it.")
    autoscaling: Flag = Field(False, description="Whether environments of the plan may scale by themselves.")


class Plan(Resource):
    """How much an environment may use, and what that costs."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="paas_plans",
        key_column="name",
        columns={
            "description": Column("description"),
            "cpu": Column("cpu_limit"),
            "memory": Column("memory_mb", from_db=lambda mebibytes: f"{mebibytes}Mi"),
            "pids": Column("pids_limit"),
            "storage_gb": Column("storage_gb"),
            "bandwidth_gb": Column("bandwidth_gb"),
            "price_hourly": Column("price_hourly"),
            "price_monthly": Column("price_monthly"),
            "enabled": Column("enabled"),
            "autoscaling": Column("autoscaling"),
        },
    )
    facts: ClassVar[KindFacts] = KindFacts(
        permits={"read": VIEWER},  # whoever chooses one
        example_name="small",
        example={"cpu": "0.5", "memory": "256Mi", "priceMonthly": "5"},
        inert={
            "storage_gb": "nothing is limited by it, it is for the price list",
            "bandwidth_gb": "nothing is limited by it, it is for the price list",
            "autoscaling": "nothing scales by itself, it is for the price list",
        },
        columns={"CPU": spec("cpu"), "MEMORY": spec("memory"), "PIDS": spec("pids"), "MONTHLY": spec("priceMonthly")},
    )

    kind: Literal["Plan"] = "Plan"
    metadata: PlanMetadata
    spec: PlanSpec
