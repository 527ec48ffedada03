"""
The columns of a FOCUS file, as data: FinOps Open Cost and Usage Specification, dataset Cost and Usage.

Every mandatory column stands here, and of the others those that a consumer's estimate can say.
Levels, nullability and types are those of the specification; custom columns begin with `x_` and come last.
Source: the dataset's column table in the specification's repository (specification/datasets/cost_and_usage/dataset.md) for the
columns since 1.3; `ProviderName` and `PublisherName` were mandatory in 1.2 and gave way to `ServiceProviderName` and
`HostProviderName`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["VERSIONS", "FocusColumn", "columns_of_version"]

VERSIONS = ("1.4", "1.2")


@dataclass(frozen=True, slots=True)
class FocusColumn:
    """
    One column.

    Attributes:
        name: Its id.
        level: Whether a file must have it; `custom` ones are ours.
        nullable: Whether a row may leave it empty.
        kind: The type of its values.
        allowed: The values it may have, where the specification or this export lists them.
        only: The one version that has it; None for both.
    """

    name: str
    level: Literal["mandatory", "conditional", "recommended", "custom"]
    nullable: bool
    kind: Literal["decimal", "string", "datetime", "json", "boolean", "integer"]
    allowed: tuple[str, ...] = ()
    only: str | None = None


_COLUMNS = (
    FocusColumn("BilledCost", "mandatory", False, "decimal"),
    FocusColumn("BillingAccountId", "mandatory", False, "string"),
    FocusColumn("BillingAccountName", "mandatory", True, "string"),
    FocusColumn("BillingCurrency", "mandatory", False, "string", ("USD",)),
    FocusColumn("BillingPeriodEnd", "mandatory", False, "datetime"),
    FocusColumn("BillingPeriodStart", "mandatory", False, "datetime"),
    FocusColumn("ChargeCategory", "mandatory", False, "string", ("Usage",)),
    FocusColumn("ChargeClass", "mandatory", True, "string"),
    FocusColumn("ChargeDescription", "mandatory", True, "string"),
    FocusColumn("ChargeFrequency", "recommended", False, "string", ("Usage-Based",)),
    FocusColumn("ChargePeriodEnd", "mandatory", False, "datetime"),
    FocusColumn("ChargePeriodStart", "mandatory", False, "datetime"),
    FocusColumn("ConsumedQuantity", "conditional", True, "decimal"),
    FocusColumn("ConsumedUnit", "conditional", True, "string"),
    FocusColumn("ContractedCost", "mandatory", False, "decimal"),
    FocusColumn("EffectiveCost", "mandatory", False, "decimal"),
    FocusColumn("HostProviderName", "mandatory", False, "string", only="1.4"),
    FocusColumn("InvoiceIssuerName", "mandatory", False, "string"),
    FocusColumn("ListCost", "mandatory", False, "decimal"),
    FocusColumn("ListUnitPrice", "conditional", True, "decimal"),
    FocusColumn("PricingQuantity", "mandatory", True, "decimal"),
    FocusColumn("PricingUnit", "mandatory", True, "string"),
    FocusColumn("ProviderName", "mandatory", False, "string", only="1.2"),
    FocusColumn("PublisherName", "mandatory", False, "string", only="1.2"),
    FocusColumn("ServiceCategory", "mandatory", False, "string", ("AI and Machine Learning",)),
    FocusColumn("ServiceName", "mandatory", False, "string"),
    FocusColumn("ServiceProviderName", "mandatory", False, "string", only="1.4"),
    FocusColumn("ServiceSubcategory", "recommended", False, "string", ("Generative AI",)),
    FocusColumn("SkuId", "conditional", True, "string"),
    FocusColumn("SkuMeter", "conditional", True, "string"),
    FocusColumn("SkuPriceDetails", "conditional", True, "json"),
    FocusColumn("SkuPriceId", "conditional", True, "string"),
    FocusColumn("Tags", "conditional", True, "json"),
    FocusColumn("x_CallCount", "custom", False, "integer"),
    FocusColumn("x_CostStatus", "custom", False, "string"),
    FocusColumn("x_Estimated", "custom", False, "boolean", ("true",)),
    FocusColumn("x_PriceTableVersion", "custom", True, "string"),
)


def columns_of_version(version: str) -> tuple[FocusColumn, ...]:
    """The columns of a version, in order."""
    return tuple(one for one in _COLUMNS if one.only in {None, version})
